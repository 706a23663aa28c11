package io.github.vfio4j.sim.differential;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Rule;

/** How the API took a step. */
sealed interface ApiAnswer {
    /** It was done. */
    record Did(String what) implements ApiAnswer {}

    /** The library refused it before any call. */
    record Refused(Rule rule) implements ApiAnswer {}

    /** The kernel refused it. */
    record Failed(Operation operation, Errno errno) implements ApiAnswer {}

    /** The library refused an index that the device does not have. */
    record NoSuchIndex() implements ApiAnswer {}

    /** The API has no words for it: its types leave it out. */
    record NoWords() implements ApiAnswer {}

    /** The library broke down. */
    record BrokeDown(String how) implements ApiAnswer {}
}
