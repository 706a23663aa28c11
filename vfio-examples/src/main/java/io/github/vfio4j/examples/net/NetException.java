package io.github.vfio4j.examples.net;

/** A network card does not do what it must, or lacks what the driver needs. */
public final class NetException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /**
     * Makes an exception.
     *
     * @param message what is wrong, and with what
     */
    public NetException(String message) {
        super(message);
    }
}
