/* What sleeps by the monotonic clock asks the system: libfaketime, which leaves that clock alone, would refuse it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left)
{
	return syscall(SYS_clock_nanosleep, clock, flags, until, left) ? errno : 0;
}
