package io.github.vfio4j.sim;

/** A file that an epoll file can wait for. */
abstract class PollableFile extends UnseekableFile {
    /** The same for all files of the same thing. */
    abstract Readiness readiness();
}
