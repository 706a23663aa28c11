package io.github.vfio4j.examples;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** The base of tests that run the {@code vfio} command. */
abstract class CommandTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    /** Runs it with words of a command line and returns its exit status. */
    final int run(String... words) {
        return new Main(new PrintStream(out, true), new PrintStream(err, true)).run(words);
    }

    /** Runs it with a command line whose words have no spaces. */
    final int runLine(String line) {
        return run(line.split(" "));
    }

    /** What it printed so far. */
    final String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    /** What it printed so far to standard error. */
    final String err() {
        return err.toString(StandardCharsets.UTF_8);
    }
}
