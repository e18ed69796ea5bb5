/* The wall clock DAYS later, for programs that are started with this library in LD_PRELOAD; nothing else is touched.
 *
 * The monotonic clock and sleeping stay true, unlike in libfaketime 0.9.10 (Debian 12), under which Python's time.sleep fails
 * or never ends. Waiting until a moment of the wall clock is put back by as many days, or it would last that long.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LATER ((time_t)DAYS * 86400)

static int true_time(clockid_t clock, struct timespec *at) { return (int)syscall(SYS_clock_gettime, clock, at); }

int clock_gettime(clockid_t clock, struct timespec *at)
{
    int result = true_time(clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        at->tv_sec += LATER;
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *at, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
}

/* A moment of the monotonic clock is never near the wall clock's, so what is far ahead of the true time is ours. */
static const struct timespec *put_back(const struct timespec *until, struct timespec *place)
{
    struct timespec now;
    if (until == NULL || true_time(CLOCK_REALTIME, &now) != 0 || until->tv_sec < now.tv_sec + LATER / 2)
        return until;
    *place = *until;
    place->tv_sec -= LATER;
    return place;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec place;
    if (real == NULL)
        real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return real(condition, mutex, put_back(until, &place));
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    static int (*real)(sem_t *, const struct timespec *);
    struct timespec place;
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "sem_timedwait");
    return real(semaphore, put_back(until, &place));
}
