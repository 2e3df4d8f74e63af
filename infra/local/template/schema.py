"""The properties of a template that the local stack honours, and those without meaning on one machine.

Anything else is refused by name: a template with a property that is silently ignored would work here and fail, or
behave otherwise, on AWS.
"""

from collections.abc import Mapping
from enum import Enum


class Meaning(Enum):
    """Whether a property's value is read here."""

    USED = "honoured"
    MOOT = "no local meaning"


USED, MOOT = Meaning.USED, Meaning.MOOT

# A mapping names the members of an object (and of each object of a list); "*" stands for any name.
type Spec = Meaning | Mapping[str, Spec]

_DESCRIPTIVE: dict[str, Spec] = {"Description": MOOT, "Tags": MOOT, "PropagateTags": MOOT}
_ON_FAILURE: Spec = {"OnFailure": {"Destination": USED, "Type": USED}}

EVENT_SPECS: dict[str, Spec] = {
    "Api": {
        "Path": USED,
        "Method": USED,
        "RestApiId": USED,
        "Auth": {"Authorizer": USED},
    },
    "SQS": {
        "Queue": USED,
        "BatchSize": USED,
        "MaximumBatchingWindowInSeconds": MOOT,
        "Enabled": USED,
        "FunctionResponseTypes": USED,
        "ScalingConfig": MOOT,
    },
    "Schedule": {"Schedule": USED, "Input": USED, "Enabled": USED, "State": USED, "Name": MOOT, **_DESCRIPTIVE},
    "ScheduleV2": {
        "ScheduleExpression": USED,
        "ScheduleExpressionTimezone": USED,
        "Input": USED,
        "State": USED,
        "Name": MOOT,
        "FlexibleTimeWindow": MOOT,
        "RetryPolicy": MOOT,
        **_DESCRIPTIVE,
    },
}

_FUNCTION: dict[str, Spec] = {
    "CodeUri": USED,
    "Handler": USED,
    "Runtime": USED,
    "Layers": USED,
    "MemorySize": USED,
    "Timeout": USED,
    "FunctionName": USED,
    "ReservedConcurrentExecutions": USED,
    "Environment": {"Variables": {"*": USED}},
    "Events": {"*": USED},
    "Architectures": MOOT,
    "AutoPublishAlias": MOOT,
    "AutoPublishAliasAllProperties": MOOT,
    "DeadLetterQueue": MOOT,
    "DeploymentPreference": MOOT,
    "EphemeralStorage": MOOT,
    "EventInvokeConfig": MOOT,
    "KmsKeyArn": MOOT,
    "LoggingConfig": MOOT,
    "PermissionsBoundary": MOOT,
    "Policies": MOOT,
    "ProvisionedConcurrencyConfig": MOOT,
    "PublishToLatestPublished": MOOT,
    "Role": MOOT,
    "RecursiveLoop": MOOT,
    "SnapStart": MOOT,
    "Tracing": MOOT,
    "VpcConfig": MOOT,
    **_DESCRIPTIVE,
}

_GATEWAY_RESPONSE: Spec = {
    "StatusCode": USED,
    "ResponseParameters": {"Headers": {"*": USED}},
    "ResponseTemplates": {"*": USED},
}

_REST_API: dict[str, Spec] = {
    "StageName": USED,
    "Auth": {
        "DefaultAuthorizer": USED,
        "AddDefaultAuthorizerToCorsPreflight": USED,
        "Authorizers": {
            "*": {
                "FunctionArn": USED,
                "FunctionPayloadType": USED,
                "Identity": {"Headers": USED, "QueryStrings": USED, "ReauthorizeEvery": USED},
                "FunctionInvokeRole": MOOT,
            }
        },
        "ResourcePolicy": MOOT,
    },
    "BinaryMediaTypes": USED,
    "GatewayResponses": {"*": _GATEWAY_RESPONSE},
    "MinimumCompressionSize": USED,
    "AccessLogSetting": MOOT,
    "AlwaysDeploy": MOOT,
    "CanarySetting": MOOT,
    "Domain": MOOT,
    "EndpointConfiguration": MOOT,
    "MethodSettings": MOOT,
    "Name": MOOT,
    "OpenApiVersion": MOOT,
    "TracingEnabled": MOOT,
    "Variables": MOOT,
    **_DESCRIPTIVE,
}

RESOURCE_SPECS: dict[str, dict[str, Spec]] = {
    "AWS::Serverless::Function": _FUNCTION,
    "AWS::Serverless::Api": _REST_API,
    "AWS::Serverless::WebSocketApi": {
        "RouteSelectionExpression": USED,
        "StageName": USED,
        "Auth": {"AuthType": USED, "AuthArn": USED, "IdentitySource": USED, "Name": MOOT, "InvokeRole": MOOT},
        "Routes": {
            "*": {
                "FunctionArn": USED,
                "IntegrationTimeout": USED,
                "RouteResponseSelectionExpression": USED,
                "OperationName": MOOT,
            }
        },
        "AccessLogSettings": MOOT,
        "DefaultRouteSettings": MOOT,
        "DisableExecuteApiEndpoint": MOOT,
        "Domain": MOOT,
        "IpAddressType": MOOT,
        "Name": MOOT,
        "RouteSettings": MOOT,
        "StageVariables": MOOT,
        **_DESCRIPTIVE,
    },
    "AWS::Serverless::LayerVersion": {
        "ContentUri": USED,
        "CompatibleRuntimes": MOOT,
        "CompatibleArchitectures": MOOT,
        "LayerName": MOOT,
        "LicenseInfo": MOOT,
        "PublishLambdaVersion": MOOT,
        "RetentionPolicy": MOOT,
        **_DESCRIPTIVE,
    },
    "AWS::S3::Bucket": {
        "BucketName": USED,
        "VersioningConfiguration": {"Status": USED},
        "BucketEncryption": MOOT,
        "LifecycleConfiguration": MOOT,
        "LoggingConfiguration": MOOT,
        "OwnershipControls": MOOT,
        "PublicAccessBlockConfiguration": MOOT,
        **_DESCRIPTIVE,
    },
    "AWS::Lambda::EventSourceMapping": {
        "FunctionName": USED,
        "EventSourceArn": USED,
        "Topics": USED,
        "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": USED},
        "StartingPosition": USED,
        "BatchSize": USED,
        "MaximumBatchingWindowInSeconds": USED,
        "FunctionResponseTypes": USED,
        "MaximumRetryAttempts": USED,
        "MaximumRecordAgeInSeconds": USED,
        "BisectBatchOnFunctionError": USED,
        "DestinationConfig": _ON_FAILURE,
        "ProvisionedPollerConfig": {"MinimumPollers": MOOT, "MaximumPollers": USED},
        "MetricsConfig": MOOT,
        "LoggingConfig": MOOT,
    },
    "AWS::SQS::Queue": {
        "QueueName": USED,
        "VisibilityTimeout": USED,
        "MessageRetentionPeriod": USED,
        "RedrivePolicy": MOOT,
        "KmsMasterKeyId": MOOT,
        "SqsManagedSseEnabled": MOOT,
        **_DESCRIPTIVE,
    },
    "AWS::SecretsManager::Secret": {
        "Name": USED,
        "SecretString": USED,
        "GenerateSecretString": USED,
        "KmsKeyId": MOOT,
        **_DESCRIPTIVE,
    },
}

# Resources that other programs stand for here (the network, the servers), or that only watch and guard.
MOOT_RESOURCES = (
    "AWS::ApiGateway::Account",
    "AWS::ApplicationAutoScaling::",
    "AWS::Budgets::",
    "AWS::CloudFormation::",
    "AWS::CloudWatch::",
    "AWS::EC2::",
    "AWS::ElastiCache::",
    "AWS::IAM::",
    "AWS::KMS::",
    "AWS::Lambda::Permission",
    "AWS::Logs::",
    "AWS::MSK::",
    "AWS::RDS::",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::Serverless::Application",
    "AWS::WAFv2::",
)

GLOBALS: dict[str, str] = {
    "Function": "AWS::Serverless::Function",
    "Api": "AWS::Serverless::Api",
    "WebSocketApi": "AWS::Serverless::WebSocketApi",
    "LayerVersion": "AWS::Serverless::LayerVersion",
}

SECTIONS = {
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Globals",
    "Resources",
    "Outputs",
}
RESOURCE_ATTRIBUTES = {
    "Type",
    "Properties",
    "Condition",
    "DependsOn",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
}
