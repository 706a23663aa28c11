package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.util.ArrayDeque;

/**
 * An open file descriptor. Counts the calls that use it, so that closing can never free a number that a call in flight
 * still uses, and owns the frames of its calls, so that a call allocates nothing.
 */
final class Fd {
    final Syscalls syscalls;
    final int number;

    private final String subject;
    // Guarded by this.
    private final ArrayDeque<Frame> frames = new ArrayDeque<>(2);
    private int calls;
    private boolean closed;

    /**
     * Takes an open descriptor over.
     *
     * @param subject what it is, for exceptions, such as {@code /dev/vfio/26}
     */
    Fd(Syscalls syscalls, int number, String subject) {
        this.syscalls = syscalls;
        this.number = number;
        this.subject = subject;
    }

    /** Opens a path, always close-on-exec. */
    static Fd open(Operation operation, Syscalls syscalls, String path) {
        Frame frame = new Frame();
        int number;
        do {
            number = syscalls.open(frame, path, Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
        } while (interrupted(number));
        return opened(operation, syscalls, frame, number, path);
    }

    /** Takes over what a call with a frame of its own opened: a descriptor, or -errno. */
    static Fd opened(Operation operation, Syscalls syscalls, Frame frame, int number, String subject) {
        if (number < 0) {
            throw new VfioException(operation, new Errno(-number), subject);
        }
        Fd fd = new Fd(syscalls, number, subject);
        fd.frames.push(frame);
        return fd;
    }

    String subject() {
        return subject;
    }

    /** Begins a call. Every begin is followed by an {@link #end} of its frame. */
    Frame begin(Operation operation) {
        synchronized (this) {
            hold(operation);
            if (!frames.isEmpty()) {
                return frames.pop();
            }
        }
        return new Frame(); // another call is in flight
    }

    /** Ends a call. */
    synchronized void end(Frame frame) {
        frames.push(frame);
        release();
    }

    /** Keeps the number from being freed while a call on another descriptor names it, until {@link #release}. */
    synchronized void hold(Operation operation) {
        if (closed) {
            throw new VfioException(operation, Errno.EBADF, subject + " is closed");
        }
        calls++;
    }

    /** Ends a {@link #hold}. */
    synchronized void release() {
        calls--;
        if (closed && calls == 0) {
            notifyAll();
        }
    }

    /** Did a signal end the call before it did anything? Then it is made again. */
    static boolean interrupted(long result) {
        return result == -Errno.EINTR.number();
    }

    /** Returns a result, or throws what {@code -errno} means. */
    long check(Operation operation, long result) {
        if (result < 0) {
            throw new VfioException(operation, new Errno((int) -result), subject);
        }
        return result;
    }

    /** An ioctl without an argument, or with one by value. */
    int ioctl(Operation operation, int request, long value) {
        Frame frame = begin(operation);
        try {
            return (int) check(operation, syscalls.ioctl(frame, number, request, value));
        } finally {
            end(frame);
        }
    }

    /** An ioctl whose argument the caller wrote into the frame. */
    int ioctl(Operation operation, Frame frame, int request) {
        return (int) check(operation, syscalls.ioctl(frame, number, request, frame.arg));
    }

    /** Ends what waits on a socket, so that {@link #close} need not wait for it; tells whether it was open. */
    boolean wakeSocket() {
        Frame frame;
        synchronized (this) {
            if (closed) {
                return false;
            }
            calls++;
            frame = frames.isEmpty() ? new Frame() : frames.pop();
        }
        try {
            syscalls.shutdown(frame, number);
            return true;
        } finally {
            end(frame);
        }
    }

    /** Refuses new calls, waits for those in flight, then closes. Does nothing the second time. */
    void close() {
        Frame frame;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            boolean interrupted = false;
            while (calls > 0) {
                try {
                    wait();
                } catch (InterruptedException _) {
                    interrupted = true; // the number must not be freed under a call: keep waiting
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            frame = frames.isEmpty() ? new Frame() : frames.pop();
        }
        // Linux frees the number even when close reports an error, and VFIO files report none.
        syscalls.close(frame, number);
    }
}
