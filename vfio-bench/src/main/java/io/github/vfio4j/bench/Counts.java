package io.github.vfio4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/** What the guest counted: instructions, of {@link Guest} and of {@code c/guest.c}, each a file of lines. */
final class Counts {
    /** What {@link Guest} calls it, what C calls it, and the ratio to stay under. */
    private record Pair(String java, String c, double limit) {}

    private static final List<Pair> PAIRS = List.of(
            new Pair("register read, constant mapping", "register read", 1.5),
            new Pair("register write, constant mapping", "register write", 1.5),
            new Pair("register read, mapping in a field", "register read", 4.67),
            new Pair("register write, mapping in a field", "register write", 4.67),
            new Pair("ioctl", "ioctl", 1.25),
            new Pair("map and unmap a page", "map and unmap a page", 1.2),
            new Pair("packet forwarded, bursts of 32", "packet forwarded, bursts of 32", 1.5));

    /** NVMe reads: submit and reap make one. */
    private static final List<String> READS = List.of("NVMe read, a doorbell each", "NVMe read, a doorbell for 32");

    private static final double READ_LIMIT = 1.5;

    private Counts() {}

    static List<Comparison> compare(Path javaLines, Path cLines) throws IOException {
        Map<String, Double> java = read(javaLines);
        Map<String, Double> c = read(cLines);
        List<Comparison> all = new ArrayList<>();
        for (Pair pair : PAIRS) {
            all.add(comparison(pair.java(), java.get(pair.java()), c.get(pair.c()), pair.limit()));
        }
        for (String read : READS) {
            all.add(comparison(read, both(java, read), both(c, read), READ_LIMIT));
        }
        return all;
    }

    private static double both(Map<String, Double> counts, String read) {
        return counts.get(read + ", submit") + counts.get(read + ", reap");
    }

    private static Comparison comparison(String what, double java, double c, double limit) {
        return new Comparison(
                what, "instructions", java, OptionalDouble.of(c), OptionalDouble.empty(), OptionalDouble.of(limit));
    }

    private static Map<String, Double> read(Path lines) throws IOException {
        return Files.readAllLines(lines).stream()
                .map(line -> line.split("\t"))
                .collect(Collectors.toMap(
                        parts -> parts[0], parts -> Double.valueOf(parts[1]), (a, b) -> b, LinkedHashMap::new));
    }
}
