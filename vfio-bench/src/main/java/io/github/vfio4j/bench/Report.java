package io.github.vfio4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/** The comparisons as a table, as JSON and as a chart. */
final class Report {
    private static final int ROW = 26;
    private static final int LEFT = 330;
    private static final int WIDTH = 900;
    private static final double WIDEST = 4; // a ratio beyond is drawn so wide and says its number

    private final List<Comparison> all;

    Report(List<Comparison> all) {
        this.all = all;
    }

    String table() {
        StringBuilder table = new StringBuilder(line("%-44s %-13s %10s %10s %7s %7s %8s", "", "", "Java", "C", "ratio", "at most", "bytes"));
        for (Comparison c : all) {
            table.append(line(
                    "%-44s %-13s %10.2f %10s %7s %7s %8s%s",
                    c.what(),
                    c.unit(),
                    c.java(),
                    number(c.c()),
                    number(c.ratio()),
                    number(c.limit()),
                    number(c.bytes()),
                    c.over() ? "  <- over" : ""));
        }
        return table.toString();
    }

    void writeJson(Path file) throws IOException {
        Files.writeString(
                file, all.stream().map(Report::json).collect(Collectors.joining(",\n  ", "[\n  ", "\n]\n")));
    }

    /** One bar a comparison: the ratio. The line at 1 is C. */
    void writeChart(Path file) throws IOException {
        List<Comparison> drawn =
                all.stream().filter(c -> c.ratio().isPresent()).toList();
        int height = ROW * drawn.size() + 40;
        StringBuilder svg = new StringBuilder(line(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\""
                        + " font-size=\"13\">",
                WIDTH, height));
        svg.append(line("<rect width=\"%d\" height=\"%d\" fill=\"white\"/>", WIDTH, height));
        svg.append(line("<text x=\"%d\" y=\"20\" text-anchor=\"middle\">C</text>", LEFT + scale(1)));
        for (int i = 0; i < drawn.size(); i++) {
            Comparison c = drawn.get(i);
            int y = 30 + ROW * i;
            double ratio = c.ratio().getAsDouble();
            svg.append(line(
                    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s (%s)</text>", LEFT - 8, y + 15, c.what(), c.unit()));
            svg.append(line(
                    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>",
                    LEFT, y, scale(Math.min(ratio, WIDEST)), ROW - 8, c.over() ? "#c66" : "#69a"));
            svg.append(line("<text x=\"%d\" y=\"%d\">%.2f</text>", LEFT + scale(Math.min(ratio, WIDEST)) + 6, y + 15, ratio));
        }
        svg.append(line(
                "<line x1=\"%1$d\" y1=\"24\" x2=\"%1$d\" y2=\"%2$d\" stroke=\"black\"/>", LEFT + scale(1), height - 8));
        Files.writeString(file, svg.append("</svg>\n"));
    }

    private static int scale(double ratio) {
        return (int) Math.round((WIDTH - LEFT - 60) * ratio / WIDEST);
    }

    private static String json(Comparison c) {
        return line(
                        "{\"what\": \"%s\", \"unit\": \"%s\", \"java\": %.3f, \"c\": %s, \"ratio\": %s, \"limit\": %s, \"bytes\": %s}",
                        c.what(), c.unit(), c.java(), orNull(c.c()), orNull(c.ratio()), orNull(c.limit()), orNull(c.bytes()))
                .strip();
    }

    private static String orNull(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.3f", value.getAsDouble()) : "null";
    }

    private static String number(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.2f", value.getAsDouble()) : "";
    }

    private static String line(String format, Object... arguments) {
        return String.format(Locale.ROOT, format, arguments) + "\n";
    }
}
