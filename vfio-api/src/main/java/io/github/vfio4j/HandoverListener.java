package io.github.vfio4j;

import io.github.vfio4j.spi.HandoverPort;
import io.github.vfio4j.spi.ListenPort;

/**
 * A Unix socket that other processes connect to, to get groups and devices or to hand them over; from
 * {@link Vfio#listen}. Who may connect is decided by the permissions of the socket's file and its directories: make the
 * directory accessible to those alone that shall have the devices.
 *
 * <p>All methods are safe from any thread.
 */
public final class HandoverListener implements AutoCloseable {
    private final Vfio vfio;
    private final ListenPort port;
    private final String address;
    private volatile boolean closed;

    HandoverListener(Vfio vfio, ListenPort port, String address) {
        this.vfio = vfio;
        this.port = port;
        this.address = address;
    }

    /**
     * Waits for a process that connects ({@code accept4}).
     *
     * @return the connection
     * @throws RuleViolation if this is closed, also while it waits
     * @throws VfioException {@code EMFILE} if the process has too many files open
     */
    public Handover accept() {
        checkOpen();
        HandoverPort connection;
        try {
            connection = port.accept();
        } catch (VfioException e) {
            checkOpen(); // closed while it waited
            throw e;
        }
        return vfio.keepReceived(new Handover(vfio, connection, "the process that connected to " + address));
    }

    /** Stops listening and removes the socket's file; who waits here gets a {@link RuleViolation}. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            port.close();
            vfio.forget(this);
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new RuleViolation(Rule.HANDLE_OPEN, Operation.HANDOVER_ACCEPT, address);
        }
    }
}
