package io.github.vfio4j.examples.edu;

/** The edu device does not do what it should. */
public final class EduException extends RuntimeException {
    private static final long serialVersionUID = 1;

    EduException(String message) {
        super(message);
    }
}
