package io.github.vfio4j.ffm;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayDeque;

/**
 * An open file descriptor. Counts the calls that use it, so that closing can never free a number that a call in flight
 * still uses, and owns the frames of its calls, so that a call allocates nothing. A call that is alone takes no lock: one
 * atomic step counts it and gives it the first frame, another takes both back.
 */
final class Fd {
    private static final int CLOSED = 1 << 31;
    private static final int FIRST_FRAME_IN_USE = 1 << 30;
    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup()
                    .findVarHandle(Fd.class, "state", int.class)
                    .withInvokeExactBehavior();
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final Syscalls syscalls;
    final int number;

    private final String subject;
    private final Frame first;
    private volatile int state; // CLOSED, FIRST_FRAME_IN_USE, and how many calls are in flight
    private final ArrayDeque<Frame> others = new ArrayDeque<>(1); // of calls that are not alone; guarded by itself

    /**
     * Takes an open descriptor over.
     *
     * @param subject what it is, for exceptions, such as {@code /dev/vfio/26}
     */
    Fd(Syscalls syscalls, int number, String subject) {
        this(syscalls, number, subject, new Frame());
    }

    private Fd(Syscalls syscalls, int number, String subject, Frame first) {
        this.syscalls = syscalls;
        this.number = number;
        this.subject = subject;
        this.first = first;
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
        return new Fd(syscalls, number, subject, frame);
    }

    String subject() {
        return subject;
    }

    /** Begins a call. Every begin is followed by an {@link #end} of its frame. */
    Frame begin(Operation operation) {
        int before = count(FIRST_FRAME_IN_USE);
        if (before < 0) {
            throw closed(operation);
        }
        return frame(before);
    }

    /** Ends a call. */
    void end(Frame frame) {
        if (frame == first) {
            uncount(FIRST_FRAME_IN_USE + 1);
        } else {
            synchronized (others) {
                others.push(frame);
            }
            uncount(1);
        }
    }

    /** Keeps the number from being freed while a call on another descriptor names it, until {@link #release}. */
    void hold(Operation operation) {
        if (count(0) < 0) {
            throw closed(operation);
        }
    }

    /** Ends a {@link #hold}. */
    void release() {
        uncount(1);
    }

    /** Counts one more call, unless this is closed, and sets a flag; returns the state before, negative if closed. */
    private int count(int flag) {
        int before;
        do {
            before = state;
        } while (before >= 0 && !STATE.compareAndSet(this, before, (before | flag) + 1));
        return before;
    }

    private void uncount(int used) {
        if ((int) STATE.getAndAdd(this, -used) - used == CLOSED) { // that was the last call, and somebody waits for it
            synchronized (this) {
                notifyAll();
            }
        }
    }

    /** Returns the frame of a call that was counted in a state. */
    private Frame frame(int before) {
        if ((before & FIRST_FRAME_IN_USE) == 0) {
            return first;
        }
        synchronized (others) {
            return others.isEmpty() ? new Frame() : others.pop();
        }
    }

    private VfioException closed(Operation operation) {
        return new VfioException(operation, Errno.EBADF, subject + " is closed");
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
        int before = count(FIRST_FRAME_IN_USE);
        if (before < 0) {
            return false;
        }
        Frame frame = frame(before);
        try {
            syscalls.shutdown(frame, number);
            return true;
        } finally {
            end(frame);
        }
    }

    /** Refuses new calls, waits for those in flight, then closes. Does nothing the second time. */
    void close() {
        if ((int) STATE.getAndBitwiseOr(this, CLOSED) < 0) {
            return;
        }
        boolean interrupted = false;
        synchronized (this) {
            while (state != CLOSED) {
                try {
                    wait();
                } catch (InterruptedException _) {
                    interrupted = true; // the number must not be freed under a call: keep waiting
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        // Linux frees the number even when close reports an error, and VFIO files report none.
        syscalls.close(first, number);
    }
}
