// A thread that does nothing. A JVM has such, and the kernel looks up descriptors in another way for a process with several
// threads: it counts their uses, which costs some instructions. So has a driver in C that waits for its interrupts.
// Included where die() is known.
#include <pthread.h>
#include <unistd.h>

static void *idle(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

static void start_idle_thread(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, idle, NULL))
		die("pthread_create");
}
