package io.github.vfio4j.sim;

/**
 * Decides which system calls of a program fail, to see what the program does then. Called by the thread that makes the
 * call; must be safe from any thread if the program has several.
 */
public interface CallFilter {
    /** What to return for a call that shall be made. */
    int PASS = 0;

    /**
     * A call is about to be made.
     *
     * @param call its name: {@code open}, {@code close}, {@code statx}, {@code ioctl}, {@code mmap}, {@code munmap},
     *     {@code pread}, {@code epoll_wait} and so on; {@code sysfs} for reading the sysfs tree,
     *     {@code sysfs_write} for writing there, {@code note} for the notes that {@code vfio.binder()} keeps
     * @param request the number of an ioctl, else 0
     * @param fd the descriptor that it is made on; -1 for none
     * @return {@link #PASS}, or the positive errno to fail with. The call is not made then; only a close is, for Linux
     *     frees the descriptor also when it reports an error
     */
    int errno(String call, int request, int fd);
}
