package io.github.vfio4j.examples;

/** A command cannot do what it was asked to; the message says why, and what to do. */
final class CommandException extends RuntimeException {
    private static final long serialVersionUID = 1;

    CommandException(String message) {
        super(message);
    }
}
