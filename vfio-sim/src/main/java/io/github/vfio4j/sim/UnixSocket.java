package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.ffm.port.UnixAddress;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A Unix socket of type SOCK_SEQPACKET. A message carries bytes and open files (SCM_RIGHTS), which it keeps open until it
 * is received, or dropped with the socket that was to receive it. Guarded by the kernel's lock.
 */
final class UnixSocket extends UnseekableFile {
    /** SCM_MAX_FD. */
    private static final int MOST_FILES = 253;

    private static final int S_IFSOCK = 0xc000;
    private static final int MSG_TRUNC = 0x20;
    private static final int ENOTSOCK = 88;
    private static final int ESOCKTNOSUPPORT = 94;
    private static final int EISCONN = 106;
    private static final int ENOTCONN = 107;

    private record Message(byte[] data, List<SimFile> files) {}

    private final SimMachine machine;
    private final KernelLock kernel;
    private final ArrayDeque<Message> received = new ArrayDeque<>();
    private String address;
    private ArrayDeque<UnixSocket> waiting; // connections to accept; null unless it listens
    private int backlog;
    private UnixSocket peer; // stays when the peer is closed
    private boolean accepted = true; // false while it waits to be accepted
    private boolean shutDown;
    private int error; // told once (sk_err)

    private UnixSocket(SimMachine machine) {
        this.machine = machine;
        this.kernel = machine.kernel();
    }

    static UnixSocket open(SimMachine machine, int type) {
        if (type != Syscalls.SOCK_SEQPACKET) {
            throw new KernelError(ESOCKTNOSUPPORT);
        }
        return new UnixSocket(machine);
    }

    /** socketpair: connects two sockets that are new. */
    void pair(UnixSocket other) {
        peer = other;
        other.peer = this;
    }

    static UnixSocket of(SimFile file) {
        if (file instanceof UnixSocket socket) {
            return socket;
        }
        throw new KernelError(ENOTSOCK);
    }

    void bind(String to) {
        Map<String, UnixSocket> addresses = machine.sockets();
        if (address != null) {
            throw new KernelError(Errno.EINVAL);
        }
        if (addresses.containsKey(to)) {
            throw new KernelError(Errno.EADDRINUSE);
        }
        addresses.put(to, this);
        address = to;
    }

    void listen(int length) {
        if (address == null || peer != null) {
            throw new KernelError(Errno.EINVAL);
        }
        if (waiting == null) {
            waiting = new ArrayDeque<>();
        }
        backlog = length;
        kernel.changed();
    }

    /** Waits while the queue of the other side is full. Called without the kernel's lock. */
    void connect(SimProcess caller, String to) {
        kernel.lock();
        try {
            UnixSocket listener = machine.sockets().get(to);
            if (listener == null && !UnixAddress.isAbstract(to)) {
                throw new KernelError(Errno.ENOENT);
            }
            if (listener == null || listener.waiting == null || listener.shutDown) {
                throw new KernelError(Errno.ECONNREFUSED);
            }
            kernel.await(() -> listener.waiting.size() <= listener.backlog || listener.shutDown || caller.dead());
            if (caller.dead()) {
                throw new KernelError(Errno.EINTR);
            }
            if (listener.shutDown) {
                throw new KernelError(Errno.ECONNREFUSED);
            }
            if (waiting != null) {
                throw new KernelError(Errno.EINVAL);
            }
            if (peer != null) {
                throw new KernelError(EISCONN);
            }
            UnixSocket other = new UnixSocket(machine);
            other.accepted = false;
            pair(other);
            listener.waiting.add(other);
            kernel.changed();
        } finally {
            kernel.unlock();
        }
    }

    /** Returns the descriptor of a connection. Called without the kernel's lock. */
    int accept(SimProcess caller) {
        kernel.lock();
        try {
            int fd = caller.files().reserve();
            try {
                if (waiting == null) {
                    throw new KernelError(Errno.EINVAL);
                }
                kernel.await(() -> !waiting.isEmpty() || shutDown || caller.dead());
                if (waiting.isEmpty()) {
                    throw new KernelError(shutDown ? Errno.EINVAL : Errno.EINTR);
                }
                UnixSocket connection = waiting.remove();
                connection.accepted = true;
                kernel.changed();
                caller.install(fd, connection);
                return fd;
            } catch (KernelError e) {
                caller.files().cancel(fd);
                throw e;
            }
        } finally {
            kernel.unlock();
        }
    }

    void shutDown() {
        shutDown = true;
        if (peer != null) {
            peer.shutDown = true;
        }
        kernel.changed();
    }

    long send(FileTable files, MemorySegment data, int[] descriptors) {
        if (peer == null) {
            throw new KernelError(ENOTCONN);
        }
        if (descriptors.length > MOST_FILES) {
            throw new KernelError(Errno.EINVAL);
        }
        List<SimFile> sent = new ArrayList<>();
        for (int fd : descriptors) {
            SimFile file = files.get(fd);
            if (file instanceof UnixSocket) {
                throw new UnsupportedOperationException("simulated sockets do not go through sockets");
            }
            sent.add(file);
        }
        tellError();
        if (shutDown) {
            throw new KernelError(Errno.EPIPE);
        }
        sent.forEach(kernel::get);
        peer.received.add(new Message(data.toArray(ValueLayout.JAVA_BYTE), sent));
        kernel.changed();
        return data.byteSize();
    }

    /** What came: bytes copied, descriptors installed, MSG_... flags. */
    record Arrival(long bytes, int files, int flags) {}

    /** Waits for a message. Called without the kernel's lock. */
    Arrival receive(SimProcess caller, MemorySegment data, int[] descriptors) {
        kernel.lock();
        try {
            if (peer == null) {
                throw new KernelError(ENOTCONN);
            }
            kernel.await(() -> !received.isEmpty() || shutDown || error != 0 || caller.dead());
            tellError();
            if (caller.dead()) {
                throw new KernelError(Errno.EINTR);
            }
            if (received.isEmpty()) {
                return new Arrival(0, 0, 0);
            }
            Message message = received.remove();
            long bytes = Math.min(message.data.length, data.byteSize());
            MemorySegment.copy(MemorySegment.ofArray(message.data), 0, data, 0, bytes);
            int installed = 0;
            for (SimFile file : message.files) {
                if (installed < descriptors.length && caller.files().hasFree()) {
                    descriptors[installed++] = caller.files().add(file); // with the message's reference
                } else {
                    kernel.put(file);
                }
            }
            int flags = (bytes < message.data.length ? MSG_TRUNC : 0)
                    | (installed < message.files.size() ? Syscalls.MSG_CTRUNC : 0);
            return new Arrival(bytes, installed, flags);
        } finally {
            kernel.unlock();
        }
    }

    private void tellError() {
        if (error != 0) {
            int told = error;
            error = 0;
            throw new KernelError(told);
        }
    }

    @Override
    int mode() {
        return S_IFSOCK;
    }

    @Override
    void wake() {
        kernel.changed();
    }

    /** Messages that nobody will receive drop their files, and connections that nobody will accept are closed. */
    @Override
    void release() {
        kernel.lock();
        try {
            shutDown = true;
            if (address != null && UnixAddress.isAbstract(address)) { // the file of a path stays
                machine.sockets().remove(address);
            }
            if (waiting != null) {
                waiting.forEach(kernel::put);
                waiting.clear();
            }
            if (peer != null) {
                if (!received.isEmpty() || !accepted) {
                    peer.error = Errno.ECONNRESET.number();
                }
                peer.shutDown = true;
            }
            received.forEach(message -> message.files.forEach(kernel::put));
            received.clear();
            kernel.changed();
        } finally {
            kernel.unlock();
        }
    }

    @Override
    public String toString() {
        return address == null ? "socket" : "socket " + address;
    }
}
