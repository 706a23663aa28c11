package io.github.vfio4j.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;

/** How long it takes from the start of a JVM to the first register read, with and without a cache of what it loads. */
final class Start {
    private static final String JAVA = Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private final Path directory;
    private final int rounds;

    /**
     * Prepares.
     *
     * @param directory where the cache goes
     * @param rounds how often a JVM is started
     */
    Start(Path directory, int rounds) {
        this.directory = directory;
        this.rounds = rounds;
    }

    List<Comparison> run() throws IOException {
        System.err.println("bench: start of a JVM");
        Path cache = directory.resolve("first-read.aot");
        millis("-XX:AOTCacheOutput=" + cache);
        if (!Files.exists(cache)) {
            throw new IllegalStateException("the JVM made no " + cache);
        }
        return List.of(
                comparison("JVM start to first register read"),
                comparison("the same with an AOT cache", "-XX:AOTCache=" + cache));
    }

    private Comparison comparison(String what, String... options) throws IOException {
        double[] times = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            times[i] = millis(options);
        }
        Arrays.sort(times);
        return new Comparison(
                what, "ms", times[rounds / 2], OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.empty());
    }

    /** Starts a JVM and waits until it has read. */
    private static double millis(String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of(JAVA, "--enable-native-access=ALL-UNNAMED"));
        command.addAll(Arrays.asList(options));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), FirstRead.class.getName()));
        long start = System.nanoTime();
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader reader = process.inputReader()) {
            if (reader.readLine() == null) {
                throw new IllegalStateException(String.join(" ", command) + " read nothing");
            }
            double millis = (System.nanoTime() - start) / 1e6;
            process.waitFor();
            return millis;
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
