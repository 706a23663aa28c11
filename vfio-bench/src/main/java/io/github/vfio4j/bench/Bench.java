package io.github.vfio4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Compares, prints the table, and writes {@code results.json} and {@code chart.svg}; what {@code ./bench} runs. */
final class Bench {
    private Bench() {}

    /**
     * Runs.
     *
     * @param arguments the directory with the compiled C programs, which gets the results, and {@code quick} or
     *     {@code full}. What the guest counted is taken along if it is there: {@code guest-java} and {@code guest-c}
     * @throws IOException if a file cannot be read or written
     */
    public static void main(String[] arguments) throws IOException {
        Path directory = Path.of(arguments[0]);
        boolean quick = arguments[1].equals("quick");
        List<Comparison> all = new ArrayList<>();
        if (Files.exists(directory.resolve("guest-java"))) {
            all.addAll(Counts.compare(directory.resolve("guest-java"), directory.resolve("guest-c")));
        }
        all.addAll(new Native(directory.resolve("native").toString(), quick ? 1 : 5, quick ? 200 : 500).run());
        all.addAll(new Start(directory, quick ? 3 : 9).run());
        Report report = new Report(all);
        System.out.print(report.table());
        report.writeJson(directory.resolve("results.json"));
        report.writeChart(directory.resolve("chart.svg"));
    }
}
