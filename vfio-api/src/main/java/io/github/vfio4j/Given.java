package io.github.vfio4j;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Objects;

/** Looks at what programs hand in, before anything is done with it. */
final class Given {
    private Given() {}

    /**
     * Copies what a program may change at any time.
     *
     * @throws NullPointerException if it or one of its elements is null; names it
     */
    static <T> List<T> elements(Collection<T> given, String name) {
        List<T> copy = new ArrayList<>(Objects.requireNonNull(given, name));
        copy.forEach(element -> Objects.requireNonNull(element, () -> name + " contains null"));
        return List.copyOf(copy);
    }

    /** As {@link #elements(Collection, String)}. */
    static <T> List<T> elements(T[] given, String name) {
        return elements(Arrays.asList(Objects.requireNonNull(given, name)), name);
    }

    /**
     * Refuses what names nothing in a directory of sysfs.
     *
     * @throws IllegalArgumentException if it is empty, a way to somewhere else, or more than a name
     */
    static void sysfsName(String given) {
        if (given.isEmpty() || given.equals(".") || given.equals("..") || given.indexOf('/') >= 0) {
            throw new IllegalArgumentException("'" + given + "' is no name in sysfs");
        }
    }

    /**
     * Refuses what numbers no group.
     *
     * @throws IllegalArgumentException if the number is negative
     */
    static void groupNumber(int number) {
        if (number < 0) {
            throw new IllegalArgumentException("a group number is not negative: " + number);
        }
    }
}
