package io.github.vfio4j.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Times on this machine: Java by JMH, and C in turn with it, so that both see the same machine. */
final class Native {
    private static final double NO_C = 0;

    /** JMH reads fields through Unsafe, of which the JVM would warn. */
    private static final String JMH_MAY = "--sun-misc-unsafe-memory-access=allow";

    /** Its name, the Java benchmark, what {@code c/native.c} calls it, and the ratio to stay under. */
    private record Pair(String what, Class<?> benchmark, String method, String c, double limit) {}

    private static final List<Pair> PAIRS = List.of(
            new Pair("register read, constant mapping", RegisterBenchmark.class, "readConstant", "read32", 1.5),
            new Pair("register write, constant mapping", RegisterBenchmark.class, "writeConstant", "write32", 1.5),
            new Pair("register read, mapping in a field", RegisterBenchmark.class, "readField", "read32", 3),
            new Pair("register write, mapping in a field", RegisterBenchmark.class, "writeField", "write32", 3),
            new Pair("ioctl, errno captured", SyscallBenchmark.class, "ioctl", "ioctl", 1.25),
            new Pair("eventfd, there and back", EventBenchmark.class, "wake", "eventfd", 1.2),
            new Pair("NVMe read, simulated controller, depth 1", NvmeBenchmark.class, "readsAtDepth1", "", NO_C),
            new Pair("NVMe read, simulated controller, depth 32", NvmeBenchmark.class, "readsAtDepth32", "", NO_C));

    private final String cProgram;
    private final int rounds;
    private final int millis;

    /**
     * Prepares.
     *
     * @param cProgram the compiled {@code c/native.c}
     * @param rounds how often C and Java take turns
     * @param millis how long an iteration takes
     */
    Native(String cProgram, int rounds, int millis) {
        this.cProgram = cProgram;
        this.rounds = rounds;
        this.millis = millis;
    }

    List<Comparison> run() {
        return PAIRS.stream().map(this::compare).toList();
    }

    private Comparison compare(Pair pair) {
        System.err.println("bench: " + pair.what());
        List<Double> java = new ArrayList<>();
        List<Double> c = new ArrayList<>();
        double bytes = 0;
        for (int round = 0; round < rounds; round++) {
            if (pair.limit() != NO_C) {
                c.addAll(runC(pair.c()));
            }
            RunResult result = runJava(pair);
            java.add(result.getPrimaryResult().getScore());
            bytes = Math.max(bytes, allocated(result));
        }
        boolean alone = c.isEmpty();
        return new Comparison(
                pair.what(),
                "ns",
                median(java),
                alone ? OptionalDouble.empty() : OptionalDouble.of(median(c)),
                // The simulated controller is Java, too, and allocates.
                alone ? OptionalDouble.empty() : OptionalDouble.of(bytes),
                alone ? OptionalDouble.empty() : OptionalDouble.of(pair.limit()));
    }

    private List<Double> runC(String operation) {
        try {
            Process process = new ProcessBuilder(cProgram, operation, "3", Integer.toString(millis))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            List<Double> times =
                    process.inputReader().lines().map(Double::valueOf).toList();
            if (process.waitFor() != 0) {
                throw new IllegalStateException(cProgram + " " + operation + " failed");
            }
            return times;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private RunResult runJava(Pair pair) {
        TimeValue iteration = TimeValue.milliseconds(millis);
        Options options = new OptionsBuilder()
                .include("^" + pair.benchmark().getName().replace(".", "\\.") + "\\." + pair.method() + "$")
                .mode(Mode.AverageTime)
                .timeUnit(TimeUnit.NANOSECONDS)
                .forks(1)
                .jvmArgs("--enable-native-access=ALL-UNNAMED", JMH_MAY)
                .warmupIterations(5)
                .warmupTime(iteration)
                .measurementIterations(3)
                .measurementTime(iteration)
                .addProfiler(GCProfiler.class)
                .verbosity(VerboseMode.SILENT)
                .shouldFailOnError(true)
                .build();
        try {
            return new Runner(options).runSingle();
        } catch (RunnerException e) {
            throw new IllegalStateException(pair.what(), e);
        }
    }

    /** Bytes for each operation. The harness itself leaves a trace, far below one byte. */
    private static double allocated(RunResult result) {
        return result.getSecondaryResults().values().stream()
                .filter(r -> r.getLabel().contains("gc.alloc.rate.norm"))
                .mapToDouble(Result::getScore)
                .findFirst()
                .orElseThrow();
    }

    private static double median(List<Double> values) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return Arrays.stream(sorted, (sorted.length - 1) / 2, sorted.length / 2 + 1)
                .average()
                .orElseThrow();
    }
}
