"""The local AWS APIs keep what is put into a bucket."""

from tests.integration.infra.conftest import Served
from tests.support import eventually


def test_what_is_put_into_a_bucket_outlives_the_aws_process(served: Served) -> None:
    s3 = served.client("s3", served.aws_url)
    bucket = "churn-kept"
    s3.put_object(Bucket=bucket, Key="models/1/m.npz", Body=b"\x00forest", Metadata={"sha": "1"}, ContentType="a/b")
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")
    served.aws.stop()
    served.aws.start()
    eventually((served.folder / "aws" / "ready").exists)
    stored = s3.get_object(Bucket=bucket, Key="models/1/m.npz")
    assert (stored["Body"].read(), stored["Metadata"], stored["ContentType"]) == (b"\x00forest", {"sha": "1"}, "a/b")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["models/1/m.npz"]
