package io.github.vfio4j.bench;

import java.util.OptionalDouble;

/**
 * One line of the table.
 *
 * @param what what was measured
 * @param unit ns or instructions
 * @param java what it takes in Java
 * @param c what it takes in C, in the same run; empty where there is no C
 * @param bytes what it allocates in Java; empty where that was not measured
 * @param limit the ratio to stay under; empty where none is set
 */
record Comparison(String what, String unit, double java, OptionalDouble c, OptionalDouble bytes, OptionalDouble limit) {
    OptionalDouble ratio() {
        return c.isPresent() ? OptionalDouble.of(java / c.getAsDouble()) : OptionalDouble.empty();
    }

    boolean over() {
        return ratio().isPresent() && limit.isPresent() && ratio().getAsDouble() > limit.getAsDouble();
    }
}
