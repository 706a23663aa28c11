package io.github.vfio4j.sim.differential;

import static java.util.Comparator.comparing;
import static java.util.Map.entry;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectUniqueId;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Rule;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.UniqueId;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * Makes each rule wrong in turn: nothing breaks it, it has another errno, it comes after the next rule of its operation.
 * Tests must notice: those that {@link RuleCases} names for it, generated sequences whose answers were noted
 * before (in the VM, Linux gives the answers), or the tests of the simulated kernel and of the API. A run of all of them
 * with right rules comes first, which tells what each can notice at all. Prints what survives; the exit status is 0 only
 * if nothing does but {@link #EQUIVALENT}. An argument is a regular expression: only rules with such an id are altered.
 */
final class MutateRules {
    private static final int SEQUENCES = 2500; // of these so many about iommufds:
    private static final int IOMMUFD_SEQUENCES = 1000;
    private static final Generator.Scope SCOPE = new Generator.Scope(true, false, true, true, List.of());
    private static final long SEED = 0x5eed5eed5eed5eedL;
    private static final List<String> SIMULATED = List.of(
            "SimGroupTest",
            "SimContainerTest",
            "SimType1Test",
            "SimDeviceFdTest",
            "SimDirtyPagesTest",
            "SimInterruptsTest",
            "SimIntxTest",
            "SimMigrationTest",
            "SimGroupTypesTest",
            "SimExternalUserTest",
            "SimBusResetTest",
            "SimIoEventFdTest",
            "SimFeaturesTest",
            "SimDriversTest",
            "SimIommufdTest",
            "SimCompatTest");
    private static final List<String> OF_THE_API = List.of(
            "RuleTest",
            "FailureTest",
            "InterruptsTest",
            "FeaturesTest",
            "IoEventFdTest",
            "ExternalUserTest",
            "VfioExceptionTest");
    /** Made of the rules, so it notices every errno, but only as long as nobody writes the page anew. */
    private static final String PAGE = "RulesPageTest";

    private static final long SECONDS = 20; // that a test may take, beside a hundred times what it takes with right rules

    private static final String FIRST_PAGE = "the first page that is not to be had decides, so one of them is broken";
    private static final String NOTHING_ELSE = "nothing else is asked before there is an address space";
    private static final String NO_BYTES = "a range of no bytes does not wrap";
    private static final String ASKED_BEFORE =
            "the library asks the one before the call, and only the kernel knows the other";
    private static final String NO_TOKEN = "a device that takes no token asks for none";
    private static final String ALL_ALIGNED = "where devices are attached every mapping is aligned";

    /** What nobody can notice, and why. An entry that is noticed after all, or names no mutant, is an error. */
    private static final Map<String, String> EQUIVALENT = Map.ofEntries(
            entry(
                    "driver-bind.loaded comes after driver-bind.matches",
                    "without the driver there is no file to write to, so nobody asks whether it matches"),
            entry(
                    "driver-bind.unclaimed comes after driver-bind.bridge",
                    "vfio-pci alone minds a bridge, and host drivers alone that a program has the group"),
            entry(
                    "drivers-probe.device comes after drivers-probe.unclaimed",
                    "no driver wants a device that is not there, so no group is in its way"),
            entry(
                    "set-container.once comes after set-container.group-exists",
                    "a group whose last device goes leaves its container"),
            entry(
                    "set-container.addresses comes after set-container.nesting",
                    "a container that nests holds mediated devices alone, so nobody takes addresses (unmap-dma.address-emulated)"),
            entry(
                    "ioas-map-file.fd-open comes after ioas-map-file.dma-buf-range",
                    "what is not open is no dma-buf"),
            entry(
                    "open-group.privilege comes after open-group.cdev",
                    "a device without an IOMMU has no node of its own"),
            entry(
                    "set-container.fd-kind comes after set-container.compat-kinds",
                    "what is no iommufd has no groups of a kind"),
            entry(
                    "set-container.compat-kinds comes after set-container.privilege",
                    "the privilege is asked for a container alone"),
            entry(
                    "open-device.needs-this-container comes after open-device.compat-privilege",
                    "the library alone asks for the one, and only the kernel knows the other"),
            entry(
                    "open-device.compat-privilege comes after open-device.needs-iommu",
                    "an iommufd needs no VFIO_SET_IOMMU"),
            entry(
                    "open-device.compat-ioas comes after open-device.compat-together",
                    "without an address space there is none to differ from"),
            entry("open-device.compat-file comes after open-device.compat-memory", FIRST_PAGE),
            entry("open-device.compat-memory comes after open-device.compat-memlock", FIRST_PAGE),
            entry(
                    "bind-iommufd.group-closed comes after bind-iommufd.once",
                    "nobody opens the group of a device that is bound (open-group.cdev)"),
            entry(
                    "bind-iommufd.device-once comes after bind-iommufd.interrupts",
                    "nothing is bound where interrupts are not isolated"),
            entry("attach.file comes after attach.memory", FIRST_PAGE),
            entry("attach.memory comes after attach.memlock", FIRST_PAGE),
            entry("attach.memlock comes after attach.page-requests", "a page table with a fault queue is pinned already"),
            entry(
                    "attach.page-requests comes after attach.virtual",
                    "a device that requests no pages is behind no IOMMU that has virtual ones"),
            entry("ioas-unmap.whole comes after ioas-unmap.queue", "a mapping that is cut is not asked for its queues"),
            entry("ioas-unmap.queue comes after ioas-unmap.mapped", "where nothing is mapped there is no queue"),
            entry("hw-queue-alloc.size comes after hw-queue-alloc.wrap", NO_BYTES),
            entry(
                    "hw-queue-alloc.index comes after hw-queue-alloc.order",
                    "a queue is there as long as the one after it"),
            entry("attach-pasid.driver comes after attach-pasid.supported", "a mediated device is not asked which PASIDs it has"),
            entry(
                    "attach-pasid.supported is never broken",
                    "a kernel without PASIDs has no page table for them: attach-pasid.table answers, with the same errno"),
            entry(
                    "iommufd.operation-known is never broken",
                    "a container's calls, which an iommufd takes too, do not have it either: the same errno"),
            entry(
                    "iommufd.operation-known comes after ioas-map-file.limit",
                    "a kernel that does not have the operation reads nothing of it"),
            entry("hwpt-alloc.nest-parent comes after hwpt-alloc.reserved", ASKED_BEFORE),
            entry("hwpt-alloc.file comes after hwpt-alloc.memory", FIRST_PAGE),
            entry("hwpt-alloc.memory comes after hwpt-alloc.memlock", FIRST_PAGE),
            entry("ioas-map.memory comes after ioas-map.memlock", FIRST_PAGE),
            entry("ioas-ranges.known comes after ioas-ranges.room", "an address space that is not there has no ranges"),
            entry("ioas-copy.size comes after ioas-copy.wrap", NO_BYTES),
            entry("ioas-unmap.size comes after ioas-unmap.wrap", NO_BYTES),
            entry(
                    "compat-map.needs-ioas comes after compat-map.permission",
                    "without an address space no device is there to refuse"),
            entry(
                    "ioas-map.place comes after ioas-map.iova-aligned",
                    "a call either names an IOVA or leaves it to the kernel"),
            entry(
                    "iommu-option.known comes after iommu-option.privilege",
                    "the option that names an object takes no privilege"),
            entry("iommu-option.large-pages comes after iommu-option.aligned", ALL_ALIGNED),
            entry("compat-set-iommu.large-pages comes after compat-set-iommu.aligned", ALL_ALIGNED),
            entry(
                    "compat-set-iommu.privilege comes after compat-set-iommu.type",
                    "the privilege is asked for a type that there is"),
            entry("vfio-ioas.exists comes after vfio-ioas.known", "one is asked for, the other is set"),
            entry("ioas-allow.known comes after ioas-allow.ranges", NOTHING_ELSE),
            entry("compat-unmap.needs-ioas comes after compat-unmap.all", NOTHING_ELSE),
            entry("ioas-unmap.known comes after ioas-unmap.limit", NOTHING_ELSE),
            entry("ioas-unmap.wrap comes after ioas-unmap.whole", "a range that wraps has no ends to cut at"),
            entry("set-iommu.type comes after set-iommu.opens", "a type that no driver has is not opened by one"),
            entry(
                    "set-iommu.opens comes after set-iommu.privilege",
                    "groups without an IOMMU have a driver of their own, which reports nothing that it does not open"),
            entry(
                    "set-iommu.privilege comes after set-iommu.aperture",
                    "where the privilege is asked for no group is behind an IOMMU that reaches anything"),
            entry(
                    "set-iommu.aperture is never broken",
                    "IOMMUs that reach nothing in common leave nothing: set-iommu.nothing-left answers the same"),
            entry("open-device.token-taken comes after open-device.token", NO_TOKEN),
            entry(
                    "open-device.token comes after open-device.known",
                    "the device that the name begins with looks at the rest of the name; without it nobody does"),
            entry("bind-iommufd.token-taken comes after bind-iommufd.token", NO_TOKEN),
            entry(
                    "map-dma.translated comes after map-dma.size",
                    "the driver for groups without an IOMMU reads no argument"),
            entry(
                    "unmap-dma.translated comes after unmap-dma.bitmap-alone",
                    "the driver for groups without an IOMMU reads no argument"),
            entry(
                    "dirty-pages.translated comes after dirty-pages.type",
                    "the driver for groups without an IOMMU is of no type"),
            entry("map-dma.size comes after map-dma.wrap", NO_BYTES),
            entry("dirty-pages.size comes after dirty-pages.wrap", NO_BYTES),
            entry(
                    "map-dma.address-awaited comes after map-dma.overlap",
                    "a call either gives an address or maps"),
            entry(
                    "unmap-dma.bitmap-buffer comes after unmap-dma.address-emulated",
                    "who asks for a bitmap takes no addresses: unmap-dma.bitmap-alone comes before both"),
            entry("set-irqs.memory is never broken", "the data is read next, and that fails with the same errno"),
            entry(
                    "set-irqs.memory comes after set-irqs.action",
                    "the data is read before the device is asked what it can do"),
            entry(
                    "set-irqs.action comes after set-irqs.exclusive",
                    "every index can be triggered, and whoever does not trigger enables nothing"),
            entry(
                    "set-irqs.mask-event comes after set-irqs.some",
                    "what masks enables nothing, and message interrupts are not masked (set-irqs.action)"),
            entry("set-irqs.routed comes after set-irqs.resize", "what is off has no vectors to go beyond"),
            entry("set-irqs.fd-negative comes after set-irqs.fd-open", "a negative descriptor names no file"),
            entry("kvm-add.fd-kind comes after kvm-add.once", "KVM has no file that is none of VFIO"),
            entry("kvm-del.process is never broken", "asked of every request before it is read: kvm-add.process answers"),
            entry(
                    "kvm-del.process comes after kvm-del.fd-open",
                    "asked of every request before it is read: kvm-add.process answers"),
            entry("ioeventfd.width comes after ioeventfd.once", "what is refused for its width is never there"),
            entry("ioeventfd.once comes after ioeventfd.known", "a call either sets an eventfd or takes it away"),
            entry("ioeventfd.known comes after ioeventfd.limit", "a call either sets an eventfd or takes it away"),
            entry("dma-logging.ranges comes after dma-logging.most", "no range is not too many"),
            entry(
                    "region-write.writable comes after region-write.decoded",
                    ASKED_BEFORE));

    private final List<List<Outcome>> answers = new ArrayList<>();
    private final Map<Rule, List<RuleCase.Calls>> byCalls = new EnumMap<>(Rule.class);
    private final List<Watch.Seen> bySequence = new ArrayList<>();
    private final List<SeenByTest> byTest = new ArrayList<>();
    private final List<String> wrong = new ArrayList<>(); // that fails without any mutant, and is left out
    private final PrintStream out = System.out;
    private final Set<String> known = new HashSet<>(EQUIVALENT.keySet());
    private final Launcher launcher = LauncherFactory.create();
    private SimulatedCalls calls = new SimulatedCalls(KernelProfile.V7_2);
    private SimulatedCalls older = new SimulatedCalls(KernelProfile.V6_12); // for cases that the newest kernel lacks
    private int mutants;
    private int noticed;
    private int onThePage;
    private int equivalent;
    private int survivors;

    /** A test, the class and method that it is of, the time that it took, and what it saw. */
    private record SeenByTest(UniqueId id, String method, Duration time, Watch.Seen seen) {}

    private MutateRules() {}

    public static void main(String[] args) {
        MutateRules run = new MutateRules();
        System.setOut(new PrintStream(OutputStream.nullOutputStream())); // what tests print
        run.withRightRules();
        Predicate<String> chosen = Pattern.compile(args.length == 0 ? "" : args[0]).asPredicate();
        run.known.removeIf(mutant -> !chosen.test(mutant.split(" ")[0]));
        Arrays.stream(Rule.values()).filter(rule -> chosen.test(rule.id())).forEach(run::mutate);
        run.known.forEach(mutant -> run.out.println("NO MUTANT, BUT LISTED AS EQUIVALENT: " + mutant));
        run.out.printf(
                "%d mutants of %d rules: %d noticed (%d by the page of the rules alone), %d equivalent, %d survived%n",
                run.mutants, Rule.values().length, run.noticed, run.onThePage, run.equivalent, run.survivors);
        System.exit(run.survivors == 0 && run.known.isEmpty() && run.wrong.isEmpty() ? 0 : 1);
    }

    // ---- with right rules

    /** Runs everything once. What fails or varies without a mutant would notice every mutant, so it is left out. */
    private void withRightRules() {
        for (int i = 0; i < SEQUENCES; i++) {
            answers.add(calls.answers(sequence(i)));
        }
        try (Watch watch = new Watch()) {
            for (int i = 0; i < SEQUENCES; i++) {
                if (!calls.answers(sequence(i)).equals(answers.get(i))) {
                    throw new IllegalStateException("sequence " + i + " is answered differently each time");
                }
                bySequence.add(watch.take());
            }
            Watching watching = new Watching(watch);
            for (Class<?> type : tests()) {
                launcher.execute(request(selectClass(type)), watching);
            }
            byTest.sort(comparing(SeenByTest::time));
        }
        for (Rule rule : Rule.values()) {
            List<RuleCase.Calls> right = new ArrayList<>();
            callsOf(rule).forEach(shown -> {
                if (isAnswered(shown)) {
                    right.add(shown);
                } else {
                    wrong.add("system calls of " + rule.id());
                }
            });
            byCalls.put(rule, right);
        }
        wrong.forEach(failed -> out.println("WRONG WHILE EVERY RULE IS RIGHT: " + failed));
    }

    private static Lockstep.Source sequence(int i) {
        return i < IOMMUFD_SEQUENCES ? new IommufdSequence(SEED + i, 60) : new Generator(SEED + i, SCOPE);
    }

    private static Stream<RuleCase.Calls> callsOf(Rule rule) {
        List<RuleCase> cases = RuleCases.OF.getOrDefault(rule, List.of());
        return Stream.concat(
                RuleCasesTest.calls(cases, KernelProfile.V7_2),
                RuleCasesTest.calls(cases, KernelProfile.V6_12).filter(shown -> !shown.isOf(KernelProfile.V7_2)));
    }

    private boolean isAnswered(RuleCase.Calls shown) {
        boolean newest = shown.isOf(KernelProfile.V7_2);
        KernelProfile kernel = newest ? KernelProfile.V7_2 : KernelProfile.V6_12;
        return (newest ? calls : older).lastAnswer(shown.steps()) == -shown.errno(kernel);
    }

    /** Notes what each test sees; what was seen before a class's first test counts for that. */
    private final class Watching implements TestExecutionListener {
        private final Watch watch;
        private long start;

        Watching(Watch watch) {
            this.watch = watch;
        }

        @Override
        public void executionStarted(TestIdentifier test) {
            start = System.nanoTime();
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            if (result.getStatus() == TestExecutionResult.Status.FAILED) {
                wrong.add(test.getUniqueId());
            } else if (test.isTest()) {
                MethodSource source = (MethodSource) test.getSource().orElseThrow();
                String method = source.getClassName() + "#" + source.getMethodName();
                Duration time = Duration.ofNanos(System.nanoTime() - start);
                byTest.add(new SeenByTest(test.getUniqueIdObject(), method, time, watch.take()));
            }
            // What a failed test saw counts for the next one, which does no harm.
        }
    }

    private static Set<Class<?>> tests() {
        Set<Class<?>> classes = new LinkedHashSet<>();
        RuleCases.OF.values().stream().flatMap(List::stream).forEach(shown -> named(shown).ifPresent(name -> classes.add(type(name))));
        SIMULATED.forEach(name -> classes.add(type("io.github.vfio4j.sim." + name)));
        OF_THE_API.forEach(name -> classes.add(type("io.github.vfio4j." + name)));
        classes.add(type("io.github.vfio4j." + PAGE));
        return classes;
    }

    private static Optional<String> named(RuleCase shown) {
        return switch (shown) {
            case RuleCase.KernelTest test -> Optional.of(test.method());
            case RuleCase.NotOnLinux test when !test.name().isEmpty() -> Optional.of(test.method());
            default -> Optional.empty();
        };
    }

    private static Class<?> type(String test) {
        try {
            return Class.forName(test.split("#")[0]);
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- with one wrong rule

    private void mutate(Rule rule) {
        if (Mutation.predicate(rule).isPresent()) {
            judge(rule, "is never broken", seen -> seen.broken().contains(rule), () -> Mutation.never(rule));
        }
        judge(rule, "has another errno", seen -> seen.broken().contains(rule), () -> Mutation.errno(rule));
        Watch.next(rule)
                .ifPresent(next -> judge(
                        rule,
                        "comes after " + next.id(),
                        seen -> seen.withNext().contains(rule),
                        () -> Mutation.swapped(rule, next)));
    }

    private void judge(Rule rule, String how, Predicate<Watch.Seen> matters, Supplier<Mutation> mutation) {
        String name = rule.id() + " " + how;
        boolean listed = known.remove(name);
        mutants++;
        try (Mutation _ = mutation.get()) {
            if (isNoticed(rule, matters)) {
                noticed++;
                if (listed) {
                    survivors++;
                    out.println("NOTICED, BUT LISTED AS EQUIVALENT: " + name);
                }
            } else if (listed) {
                equivalent++;
            } else {
                survivors++;
                out.println("SURVIVED " + name);
            }
        }
    }

    private boolean isNoticed(Rule rule, Predicate<Watch.Seen> matters) {
        if (isNoticedByCalls(rule, matters)) {
            return true;
        }
        List<RuleCase> cases = RuleCases.OF.getOrDefault(rule, List.of());
        Set<String> named = cases.stream().flatMap(shown -> named(shown).stream()).collect(Collectors.toSet());
        if (byTest.stream()
                .filter(test -> matters.test(test.seen()) || named.contains(test.method()) || isOf(OF_THE_API, test))
                .anyMatch(this::fails)) {
            return true;
        }
        boolean onPage = byTest.stream().filter(test -> isOf(List.of(PAGE), test)).anyMatch(this::fails);
        onThePage += onPage ? 1 : 0;
        return onPage;
    }

    /** On a machine that no earlier mutant had; one may end in a state that the simulated kernel does not stand. */
    private boolean isNoticedByCalls(Rule rule, Predicate<Watch.Seen> matters) {
        calls = new SimulatedCalls(KernelProfile.V7_2);
        older = new SimulatedCalls(KernelProfile.V6_12);
        try {
            return byCalls.get(rule).stream().anyMatch(shown -> !isAnswered(shown))
                    || IntStream.range(0, SEQUENCES)
                            .filter(i -> matters.test(bySequence.get(i)))
                            .anyMatch(i -> !calls.answers(sequence(i)).equals(answers.get(i)));
        } catch (AssertionError | RuntimeException e) {
            return true;
        }
    }

    private static boolean isOf(List<String> classes, SeenByTest test) {
        return classes.stream().anyMatch(name -> test.method().startsWith("io.github.vfio4j." + name + "#"));
    }

    /** A test that hangs fails: what should have refused a call that waits did not. Its thread is left behind. */
    private boolean fails(SeenByTest test) {
        SummaryGeneratingListener summary = new SummaryGeneratingListener();
        Thread run = Thread.ofPlatform().daemon().start(() -> launcher.execute(request(selectUniqueId(test.id())), summary));
        try {
            if (!run.join(test.time().multipliedBy(100).plusSeconds(SECONDS))) {
                return true;
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        if (summary.getSummary().getTestsStartedCount() == 0) {
            throw new IllegalStateException(test.id() + " did not run");
        }
        return summary.getSummary().getTotalFailureCount() > 0;
    }

    private static LauncherDiscoveryRequest request(DiscoverySelector test) {
        return LauncherDiscoveryRequestBuilder.request().selectors(test).build();
    }
}
