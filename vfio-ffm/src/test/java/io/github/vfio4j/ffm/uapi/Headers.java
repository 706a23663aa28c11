package io.github.vfio4j.ffm.uapi;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The kernel headers, as this machine's C compiler sees them: those of the directory in {@code VFIO_UAPI_HEADERS}, else
 * the machine's own.
 */
final class Headers {

    /** The headers that the bindings cover whole. */
    static final List<String> WHOLE =
            List.of("linux/vfio.h", "linux/vfio_ccw.h", "linux/vfio_zdev.h", "linux/iommufd.h");

    private static final String KVM = "linux/kvm.h";

    /** What of linux/kvm.h the bindings must have, whatever else they take from it. */
    private static final Pattern KVM_VFIO = Pattern.compile("KVM_DEV_VFIO_\\w+|kvm_vfio_\\w+");

    private static final String INSTALL = "install a C compiler and its headers: apt-get install gcc libc6-dev";

    private static final Pattern IOCTL = Pattern.compile("_IO[RW]*\\s*\\(.*");
    private static final Pattern LINE_MARKER = Pattern.compile("# \\d+ \"(.*?)\".*");
    private static final Pattern DEFINE = Pattern.compile("#define (\\w+)(\\(?)\\S*\\s*(.*)");

    private final Path directory;
    private final Path scratch;
    private final List<String> flags = new ArrayList<>();
    private final String compiler;

    /** What {@link #WHOLE} and the VFIO part of kvm.h define: constants, strings, enum constants, macros. */
    final Set<String> names = new TreeSet<>();
    /** Each struct and union of these headers with its fields. */
    final Map<String, Set<String>> structs = new LinkedHashMap<>();
    /** The names that stand for an ioctl number. */
    final Set<String> ioctls = new TreeSet<>();
    /** The kernel version as linux/version.h has it: major in the high bits, one byte each for the other two. */
    final int version;

    /**
     * @param directory with linux/, asm-generic/ and asm/ or (machine)/asm/; null for the machine's own
     * @param scratch a directory for the C program
     */
    Headers(Path directory, Path scratch) throws IOException {
        this.directory = directory;
        this.scratch = scratch;
        compiler = "gcc " + gcc("-dumpfullversion").orThrow().strip();
        if (directory != null) {
            if (!Files.isRegularFile(directory.resolve("linux/vfio.h"))) {
                throw new AssertionError("VFIO_UAPI_HEADERS has no linux/vfio.h: " + directory);
            }
            // Nothing of the machine's own headers may slip in.
            flags.addAll(List.of("-nostdinc", "-I" + directory));
            Path machine = directory.resolve(gcc("-dumpmachine").orThrow().strip());
            if (Files.isDirectory(machine)) {
                flags.add("-I" + machine);
            }
        }
        version = scan();
    }

    boolean isGiven() {
        return directory != null;
    }

    @Override
    public String toString() {
        return "Linux %d.%d.%d headers (%s), %s"
                .formatted(
                        version >> 16,
                        version >> 8 & 0xff,
                        version & 0xff,
                        isGiven() ? "VFIO_UAPI_HEADERS" : "this machine's own",
                        compiler);
    }

    private static String includes() {
        StringBuilder includes = new StringBuilder();
        List<String> headers = new ArrayList<>(WHOLE);
        headers.add(KVM);
        headers.add("linux/version.h");
        for (String header : headers) {
            includes.append("#if __has_include(<%s>)%n#include <%s>%n#endif%n".formatted(header, header));
        }
        return includes.toString();
    }

    /** Reads what the headers define; returns the kernel version. */
    private int scan() throws IOException {
        Path source = scratch.resolve("headers.c");
        Files.writeString(source, includes());
        Map<String, StringBuilder> declarations = new LinkedHashMap<>();
        String header = "";
        int code = -1;
        for (String line : gccWithFlags("-E", "-dD", source.toString()).orThrow().lines().toList()) {
            var marker = LINE_MARKER.matcher(line);
            var define = DEFINE.matcher(line);
            if (marker.matches()) {
                header = marker.group(1).replaceFirst("^.*/(linux/[^/]+)$", "$1");
            } else if (define.matches()) {
                String name = define.group(1);
                if (covers(header, name)) {
                    names.add(name);
                }
                if (define.group(2).isEmpty() && IOCTL.matcher(define.group(3)).matches()) {
                    ioctls.add(name);
                }
                if (name.equals("LINUX_VERSION_CODE")) {
                    code = Integer.parseInt(define.group(3));
                }
            } else if (!line.startsWith("#") && (WHOLE.contains(header) || header.equals(KVM))) {
                declarations.computeIfAbsent(header, _ -> new StringBuilder()).append(line).append('\n');
            }
        }
        if (!declarations.containsKey(WHOLE.getFirst()) || code < 0) {
            throw new AssertionError("no linux/vfio.h or linux/version.h on this machine; " + INSTALL);
        }
        for (var entry : declarations.entrySet()) {
            Declarations found = new Declarations(entry.getValue().toString());
            found.enumConstants.stream().filter(name -> covers(entry.getKey(), name)).forEach(names::add);
            found.structs.forEach((name, fields) -> {
                if (covers(entry.getKey(), name)) {
                    structs.put(name, fields);
                }
            });
        }
        return code;
    }

    private static boolean covers(String header, String name) {
        return WHOLE.contains(header) || header.equals(KVM) && KVM_VFIO.matcher(name).matches();
    }

    /**
     * Evaluates the probes' C expressions.
     *
     * @param prelude C code in front of the probes, after the includes
     * @return each probe's value; a probe that does not compile, because the headers lack what it names, is not in it
     */
    Map<Probe, String> evaluate(String prelude, List<Probe> probes) throws IOException {
        // One probe a line: what the compiler does not know, it reports by line. An error can hide others, so repeat.
        Set<Probe> known = new LinkedHashSet<>(probes);
        for (int round = 0; round < 10; round++) {
            List<Probe> lines = List.copyOf(known);
            Result result = compile(prelude, lines);
            if (result.status == 0) {
                return run(lines);
            }
            Pattern error = Pattern.compile("^probes:(\\d+):(?:\\d+:)? error: .*", Pattern.MULTILINE);
            Set<Probe> unknown = new LinkedHashSet<>();
            error.matcher(result.output)
                    .results()
                    .forEach(match -> unknown.add(lines.get(Integer.parseInt(match.group(1)) - 1)));
            if (unknown.isEmpty()) {
                throw new AssertionError(
                        result.output.contains("cannot find") ? INSTALL + "\n" + result.output : result.output);
            }
            known.removeAll(unknown);
        }
        throw new AssertionError("the C compiler still finds unknown names after ten rounds");
    }

    private Result compile(String prelude, List<Probe> probes) throws IOException {
        StringBuilder source = new StringBuilder(includes());
        source.append(prelude);
        source.append(
                """

                extern int printf(const char *, ...);
                static const struct { int line; long long number; const char *text; } probes[] = {
                #line 1 "probes"
                """);
        for (int i = 0; i < probes.size(); i++) {
            Probe probe = probes.get(i);
            source.append(
                    probe.kind() == Probe.Kind.STRING
                            ? "{ %d, 0, %s },%n".formatted(i, probe.expression())
                            : "{ %d, (long long)(%s), 0 },%n".formatted(i, probe.expression()));
        }
        source.append(
                """
                #line 1 "program"
                { -1, 0, 0 } };
                int main(void) {
                    for (int i = 0; probes[i].line >= 0; i++) {
                        if (probes[i].text)
                            printf("%d %s\\n", probes[i].line, probes[i].text);
                        else
                            printf("%d %lld\\n", probes[i].line, probes[i].number);
                    }
                    return 0;
                }
                """);
        Path file = scratch.resolve("probes.c");
        Files.writeString(file, source);
        // An error inside a macro counts for the line that uses the macro.
        return gccWithFlags(
                "-std=gnu11",
                "-w",
                "-fmax-errors=0",
                "-ftrack-macro-expansion=0",
                "-o",
                scratch.resolve("probes").toString(),
                file.toString());
    }

    private Map<Probe, String> run(List<Probe> probes) throws IOException {
        Map<Probe, String> values = new LinkedHashMap<>();
        String output = execute(List.of(scratch.resolve("probes").toString())).orThrow();
        for (String line : output.lines().toList()) {
            int space = line.indexOf(' ');
            values.put(probes.get(Integer.parseInt(line.substring(0, space))), line.substring(space + 1));
        }
        return values;
    }

    private record Result(int status, String output) {
        String orThrow() {
            if (status != 0) {
                throw new AssertionError("exit status " + status + ":\n" + output);
            }
            return output;
        }
    }

    private Result gcc(String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add("gcc");
        command.addAll(List.of(arguments));
        try {
            return execute(command);
        } catch (IOException e) {
            throw new AssertionError("no gcc on this machine; " + INSTALL, e);
        }
    }

    private Result gccWithFlags(String... arguments) throws IOException {
        List<String> all = new ArrayList<>(flags);
        all.addAll(List.of(arguments));
        return gcc(all.toArray(String[]::new));
    }

    private static Result execute(List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LC_ALL", "C");
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes());
        try {
            return new Result(process.waitFor(), output);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UncheckedIOException(new IOException("interrupted while " + command.getFirst() + " ran", e));
        }
    }
}
