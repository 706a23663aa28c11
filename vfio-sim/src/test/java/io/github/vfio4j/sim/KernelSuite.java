package io.github.vfio4j.sim;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;
import static org.junit.platform.engine.discovery.ClassNameFilter.includeClassNamePatterns;
import static org.junit.platform.launcher.TagFilter.includeTags;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;
import org.junit.platform.reporting.legacy.xml.LegacyXmlReportGeneratingListener;

/**
 * Runs the tests that a kernel must pass, on Linux or on the simulated kernel, in one JVM: {@code --kernel linux|sim
 * --reports DIRECTORY}, and if only some classes are wanted {@code --classes REGEX} for their full names. Leaves JUnit
 * reports in the directory; the exit status is 0 if tests ran and all passed.
 */
final class KernelSuite {
    /** No test takes as long, on a busy host either. */
    private static final Duration STUCK = Duration.ofMinutes(5);

    private KernelSuite() {}

    public static void main(String[] args) {
        boolean some = args.length == 6 && args[4].equals("--classes");
        if (args.length != 4 && !some || !args[0].equals("--kernel") || !args[2].equals("--reports")) {
            System.err.println("usage: KernelSuite --kernel linux|sim --reports DIRECTORY [--classes REGEX]");
            System.exit(2);
        }
        System.setProperty("vfio4j.kernel", args[1]);
        TestExecutionSummary summary = run(Path.of(args[3]), some ? args[5] : ".*");
        if (summary.getTestsFoundCount() == 0 || summary.getTotalFailureCount() > 0) {
            System.exit(1);
        }
    }

    private static TestExecutionSummary run(Path reports, String classes) {
        List<DiscoverySelector> packages = new ArrayList<>(List.of(selectPackage("io.github.vfio4j.sim.kernel")));
        if ("linux".equals(System.getProperty("vfio4j.kernel"))) { // compares Linux with the simulated kernel
            packages.add(selectPackage("io.github.vfio4j.sim.differential"));
        }
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                .selectors(packages)
                .filters(includeTags("kernel"), includeClassNamePatterns(classes))
                .build();
        PrintWriter out = new PrintWriter(System.out, true);
        SummaryGeneratingListener summary = new SummaryGeneratingListener();
        LauncherFactory.create()
                .execute(request, summary, new Progress(), new LegacyXmlReportGeneratingListener(reports, out));
        summary.getSummary().printFailuresTo(out, 20);
        out.printf(
                "%d tests, %d failed, %d skipped on Linux %s%n",
                summary.getSummary().getTestsFoundCount(),
                summary.getSummary().getTotalFailureCount(),
                summary.getSummary().getTestsSkippedCount(),
                System.getProperty("os.version"));
        return summary.getSummary();
    }

    /** One line for each class, since a machine under emulation takes its time. */
    private static final class Progress implements TestExecutionListener {
        private final long start = System.nanoTime();
        private final StuckWatch watch = new StuckWatch(STUCK);

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            watch.report();
            boolean isClass = test.getParentId().isPresent() && test.isContainer();
            if (isClass || result.getStatus() != TestExecutionResult.Status.SUCCESSFUL) {
                System.out.printf(
                        "%6.1f s  %-10s  %s%n",
                        (System.nanoTime() - start) / 1e9,
                        result.getStatus(),
                        test.getDisplayName());
            }
        }
    }
}
