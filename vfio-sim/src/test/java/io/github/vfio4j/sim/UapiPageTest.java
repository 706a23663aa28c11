package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.sim.Uapi.Reach;
import io.github.vfio4j.sim.Uapi.Row;
import io.github.vfio4j.sim.Uapi.Tested;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The page docs/uapi.md is made of {@link Uapi}; it is written anew with {@code -Dvfio4j.write=true}. What the table
 * names must be there, and what the bindings have must be in the table.
 */
class UapiPageTest {
    private static final Path PROJECT =
            Path.of(System.getProperty("basedir", "")).toAbsolutePath().getParent();
    private static final Path PAGE = PROJECT.resolve("docs/uapi.md");
    private static final String GENERATED = vfio_h.class.getPackageName();
    private static final String API = "io.github.vfio4j.";
    private static final String SIM_TESTS = "vfio-sim/src/test/java/";
    private static final String KERNEL = "io.github.vfio4j.sim.kernel.";
    private static final String DIFFERENTIAL = "io.github.vfio4j.sim.differential.";

    /** Lists of system calls, and what makes sequences of them; others run these on Linux. */
    private static final Set<String> CALLS = Set.of("RuleCases", "IommufdCases", "Generator", "IrqSteps");

    @Test
    void thePageSaysWhatTheTableSays() throws IOException {
        if (Boolean.getBoolean("vfio4j.write")) {
            Files.writeString(PAGE, page());
        }
        assertThat(PAGE).hasContent(page());
    }

    // ---- the table and the bindings

    @Test
    void everyItemOfTheBindingsIsInTheTableOnce() throws Exception {
        List<String> named = Stream.concat(items(_ -> true), Uapi.NO_ITEMS.keySet().stream()).toList();
        assertThat(named).doesNotHaveDuplicates();
        Set<String> table = new TreeSet<>(named);
        Set<String> bindings = bindings();
        assertThat(difference(bindings, table)).as("in the bindings and not in Uapi.java").isEmpty();
        assertThat(difference(table, bindings)).as("in Uapi.java and not in the bindings").isEmpty();
    }

    /** The constants of all headers, and the structs. */
    private static Set<String> bindings() throws Exception {
        Set<String> names = new TreeSet<>();
        for (String name : simpleNames(PROJECT.resolve("src-gen/java").resolve(GENERATED.replace('.', '/')))) {
            if (name.endsWith("$shared")) { // what jextract's classes have in common
                continue;
            }
            Class<?> type = Class.forName(GENERATED + "." + name);
            if (name.endsWith("_h")) {
                Arrays.stream(type.getDeclaredMethods())
                        .filter(method -> Modifier.isPublic(method.getModifiers()) && method.getParameterCount() == 0)
                        .map(Method::getName)
                        .forEach(names::add);
            } else {
                names.add(name);
            }
        }
        return names;
    }

    private static Set<String> simpleNames(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".java"))
                    .map(name -> name.substring(0, name.length() - ".java".length()))
                    .collect(Collectors.toSet());
        }
    }

    private static Set<String> difference(Collection<String> all, Collection<String> without) {
        Set<String> difference = new TreeSet<>(all);
        difference.removeAll(without);
        return difference;
    }

    @Test
    void whatIsReachedByItsNameTheLibraryUses() throws IOException {
        assertThat(difference(items(row -> row.reach() instanceof Reach.Named).toList(), wordsOfTheLibrary()))
                .isEmpty();
    }

    @Test
    void theLibraryUsesNothingElse() throws IOException {
        Set<String> used = wordsOfTheLibrary();
        assertThat(items(row -> !(row.reach() instanceof Reach.Named)).filter(used::contains))
                .isEmpty();
    }

    /** All words of the code of vfio-ffm without its comments. */
    private static Set<String> wordsOfTheLibrary() throws IOException {
        Pattern comment = Pattern.compile("/\\*.*?\\*/|//[^\\n]*", Pattern.DOTALL);
        try (Stream<Path> files = Files.walk(PROJECT.resolve("vfio-ffm/src/main/java"))) {
            Set<String> words = new TreeSet<>();
            for (Path file : files.filter(path -> path.toString().endsWith(".java")).toList()) {
                if (!file.endsWith("UapiExtras.java")) { // what the bindings lack
                    String code = comment.matcher(Files.readString(file)).replaceAll(" ");
                    words.addAll(List.of(code.split("\\W+")));
                }
            }
            return words;
        }
    }

    // ---- the table and the API

    @Test
    void everyApiThatIsNamedIsPublic() {
        Set<String> missing = Uapi.ROWS.stream()
                .flatMap(row -> api(row).stream())
                .filter(name -> !isPublic(name))
                .collect(Collectors.toCollection(TreeSet::new));
        assertThat(missing).isEmpty();
    }

    private static boolean isPublic(String name) {
        String[] parts = name.split("#");
        try {
            Class<?> type = Class.forName(API + parts[0].replace('.', '$'));
            Stream<Member> members = Stream.concat(Arrays.stream(type.getMethods()), Arrays.stream(type.getFields()));
            return Modifier.isPublic(type.getModifiers())
                    && (parts.length == 1 || members.anyMatch(member -> member.getName().equals(parts[1])));
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    // ---- the table and the tests

    @Test
    void everyTestThatIsNamedIsThereAndWhereItIsSaidToBe() {
        Set<String> missing = new TreeSet<>();
        for (Row row : Uapi.ROWS) {
            Predicate<String> is = switch (row.tested()) {
                case Tested.OnLinux _ -> UapiPageTest::runsOnLinux;
                case Tested.Simulated _ -> test -> type(KERNEL, test) != null || type(API + "sim.", test) != null;
                case Tested.MadeBytes _ -> test -> Files.exists(bytesTest(test));
                case Tested.Nowhere _ -> _ -> true;
            };
            tests(row).stream().filter(test -> !is.test(test) || !hasMethod(row, test)).forEach(missing::add);
        }
        assertThat(missing).isEmpty();
    }

    /** A test that is named without its method must name an item of the row, or what reaches it. */
    @Test
    void everyTestIsAboutTheItem() throws IOException {
        Set<String> strangers = new TreeSet<>();
        for (Row row : Uapi.ROWS) {
            Set<String> about = new TreeSet<>(row.items());
            api(row).forEach(name -> about.add(name.replaceAll(".*[#.]", "")));
            for (String test : tests(row)) {
                if (!test.contains("#") && !aboutOneOf(about, source(row, test))) {
                    strangers.add(test + " and " + about);
                }
            }
        }
        assertThat(strangers).isEmpty();
    }

    private static boolean aboutOneOf(Set<String> names, String source) {
        return Arrays.stream(source.split("\\W+")).anyMatch(names::contains);
    }

    private static boolean runsOnLinux(String test) {
        Class<?> kernelTest = type(KERNEL, test);
        if (kernelTest != null) {
            return type(KERNEL, "KernelTest").isAssignableFrom(kernelTest);
        }
        Class<?> sequences = type(DIFFERENTIAL, test);
        return sequences != null
                && (CALLS.contains(sequences.getSimpleName())
                        || type(DIFFERENTIAL, "DifferentialCase").isAssignableFrom(sequences));
    }

    private static boolean hasMethod(Row row, String test) {
        if (!test.contains("#")) {
            return true;
        }
        String method = test.substring(test.indexOf('#') + 1);
        Class<?> type = simClass(test);
        if (type == null) {
            return source(row, test).contains("void " + method + "(");
        }
        return Arrays.stream(type.getDeclaredMethods()).anyMatch(one -> one.getName().equals(method));
    }

    private static Class<?> simClass(String test) {
        return Stream.of(KERNEL, DIFFERENTIAL, API + "sim.")
                .map(of -> (Class<?>) type(of, test))
                .filter(type -> type != null)
                .findFirst()
                .orElse(null);
    }

    /** Returns a class; null if there is none. */
    private static Class<?> type(String packageName, String test) {
        try {
            return Class.forName(packageName + test.replaceAll("#.*", ""));
        } catch (ClassNotFoundException e) {
            return null;
        }
    }

    private static Path bytesTest(String test) {
        return PROJECT.resolve("vfio-ffm/src/test/java/io/github/vfio4j/ffm/" + test.replaceAll("#.*", "") + ".java");
    }

    private static String source(Row row, String test) {
        Class<?> type = simClass(test);
        Path file = row.tested() instanceof Tested.MadeBytes || type == null
                ? bytesTest(test)
                : PROJECT.resolve(SIM_TESTS + type.getName().replace('.', '/') + ".java");
        try {
            return Files.exists(file) ? Files.readString(file) : ""; // that it is missing, another test says
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void whatIsReachableIsTested() {
        assertThat(Uapi.ROWS)
                .filteredOn(row -> row.tested() instanceof Tested.Nowhere)
                .allMatch(row -> row.reach() instanceof Reach.Not);
    }

    // ---- what a row has

    private static Stream<String> items(Predicate<Row> which) {
        return Uapi.ROWS.stream().filter(which).flatMap(row -> row.items().stream());
    }

    private static List<String> api(Row row) {
        return switch (row.reach()) {
            case Reach.Named(List<String> api) -> api;
            case Reach.Number(List<String> api) -> api;
            case Reach.Not _ -> List.of();
        };
    }

    private static List<String> tests(Row row) {
        return switch (row.tested()) {
            case Tested.OnLinux(List<String> tests) -> tests;
            case Tested.Simulated(List<String> tests, String _) -> tests;
            case Tested.MadeBytes(List<String> tests, String _) -> tests;
            case Tested.Nowhere _ -> List.of();
        };
    }

    // ---- the page

    private static String page() {
        Predicate<Row> reachable = row -> !(row.reach() instanceof Reach.Not);
        StringBuilder page = new StringBuilder("""
                <!-- Generated from Uapi.java; do not edit. To regenerate: mvn -pl vfio-sim -am test -Dtest=UapiPageTest -Dvfio4j.write=true -Dsurefire.failIfNoSpecifiedTests=false -->

                # What of the kernel's API can be reached

                The VFIO API of Linux 7.2 has %d constants and structs (linux/vfio.h, iommufd.h, vfio_ccw.h, vfio_zdev.h, and of kvm.h what KVM's VFIO device needs). The library reaches %d of them; tests show %d of these on Linux in the VM and on the simulated kernel alike, %d on the simulated kernel alone, and %d on made bytes alone. It does not reach the other %d; tests make %d of these as system calls on Linux all the same.

                """.formatted(
                        items(_ -> true).count(),
                        items(reachable).count(),
                        items(reachable.and(row -> row.tested() instanceof Tested.OnLinux)).count(),
                        items(reachable.and(row -> row.tested() instanceof Tested.Simulated)).count(),
                        items(reachable.and(row -> row.tested() instanceof Tested.MadeBytes)).count(),
                        items(reachable.negate()).count(),
                        items(reachable.negate().and(row -> row.tested() instanceof Tested.OnLinux)).count()));
        page.append("""
                - "Since" is the oldest of the kernel lines 6.1, 6.12 and 7.2 that has it.
                - "As a number": the API has the number itself, or a program gives or gets it, or the bytes of a struct; the code behind it does not know the item's name.
                - Classes whose names end with `KernelTest` use the API, on Linux in the VM and on the simulated kernel. The others make system calls past it: `RuleCases`, `IommufdCases`, `IommufdOnLinux`, `MediatedOnLinux`, `KnownSequences` and `ObservedAnswers` written ones, `Generator`, `IrqSteps`, `IommufdSequence` and `MediatedSequence` random ones.
                - Not each of the VM's kernels has each item; tests pass over what is not there.
                - "Made bytes": in the kernel's place, tests of `vfio-ffm` answer with what the headers say.
                - What PowerPC and s390 alone have was never called on such a machine. The numbers are those of x86-64, which s390 shares. PowerPC has others for the same ioctls: `IoctlNumber` of `vfio-ffm` computes them there (0x20003b64 for 0x3b64), and its test has what a C compiler makes of PowerPC's header.
                - Numbers, sizes and layouts are compared with what a C compiler says (`UapiLayoutTest`); that counts for nothing here.
                """);
        Uapi.ROWS.stream().map(Row::section).distinct().forEach(section -> section(page, section));
        page.append("\n## No items\n\n");
        TreeMap<String, List<String>> reasons = Uapi.NO_ITEMS.keySet().stream()
                .collect(Collectors.groupingBy(Uapi.NO_ITEMS::get, TreeMap::new, Collectors.toList()));
        reasons.forEach((why, names) -> page.append("- %s: %s\n".formatted(codes(names), why)));
        return page.toString();
    }

    private static void section(StringBuilder page, String title) {
        page.append("\n## ").append(title).append("\n\n");
        page.append("| item | since | reached by | tested by |\n|---|---|---|---|\n");
        for (Row row : Uapi.ROWS) {
            if (row.section().equals(title)) {
                page.append("| %s | %s | %s | %s |\n"
                        .formatted(codes(row.items()), since(row.since()), reach(row.reach()), tested(row)));
            }
        }
    }

    private static String since(KernelProfile kernel) {
        return kernel.toString().replace("Linux ", "");
    }

    private static String reach(Reach reach) {
        return switch (reach) {
            case Reach.Named(List<String> api) -> codes(api);
            case Reach.Number(List<String> api) -> codes(api) + ", as a number";
            case Reach.Not(String why) -> "**not reachable**: " + why;
        };
    }

    private static String tested(Row row) {
        String tests = codes(tests(row));
        return switch (row.tested()) {
            case Tested.OnLinux _ -> tests;
            case Tested.Simulated(List<String> _, String why) -> "simulated kernel alone: " + tests + "; " + why;
            case Tested.MadeBytes(List<String> _, String why) -> "made bytes alone: " + tests + "; " + why;
            case Tested.Nowhere _ -> "";
        };
    }

    private static String codes(Collection<String> names) {
        return names.stream().map(name -> "`" + name + "`").collect(Collectors.joining(", "));
    }
}
