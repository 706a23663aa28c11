package io.github.vfio4j.sim.differential;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.SimPorts;
import io.github.vfio4j.sim.SimProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** This Linux and its simulated twin, each with a program that is about to run. */
final class Twins {
    final Lockstep lockstep;
    final ThroughTheApi api;
    private final String release = System.getProperty("os.version");
    private final KernelProfile profile = TwinMachine.profile(release);
    private final SimMachine simulated;
    private final SimProcess process;
    private final List<String> ownMemory;

    private Twins() {
        TwinMachine machine = new TwinMachine(profile);
        simulated = machine.simulated;
        process = simulated.startProcess();
        Side linux = new Side("Linux " + release, Syscalls.linux(), machine::path);
        Side twin = new Side("simulated " + profile, SimPorts.syscalls(process), machine::path);
        protect(linux.address(Region.HOLE) + Region.PAGE);
        twin.calls.munmap(new Frame(), twin.address(Region.HOLE) + Region.PAGE, Region.PAGE);
        ownMemory = process.leaks();
        lockstep = new Lockstep(linux, twin);
        api = new ThroughTheApi(
                new ApiProgram(linux, SysFs.linux(), topMappings()),
                new ApiProgram(twin, SimPorts.sysfs(simulated), topMappings()),
                profile);
    }

    /** The one pair of this JVM. */
    static Twins ofThisJvm() {
        return Holder.TWINS;
    }

    private static final class Holder {
        static final Twins TWINS = new Twins();
    }

    KernelProfile profile() {
        return profile;
    }

    /** Runs a sequence by system calls, and then through the API. */
    Optional<Disagreement> compare(Lockstep.Source source) {
        List<Step> done = new ArrayList<>();
        Optional<Disagreement> found = lockstep.run(new Lockstep.Source() {
            @Override
            public Optional<Step> next() {
                return source.next();
            }

            @Override
            public void answered(Step step, Outcome outcome) {
                done.add(step);
                source.answered(step, outcome);
            }
        });
        return found.isPresent() ? found : api.run(done);
    }

    /** Shrinks a disagreement and says what to know of it. */
    String describe(Disagreement found) {
        Disagreement small = (found.isThroughTheApi() ? api : lockstep).shrink(found);
        return "%d steps, shrunk to %d%n  %s: %s%n  %s: %s%n%s".formatted(
                found.steps().size(),
                small.steps().size(),
                lockstep.first.name,
                small.first().differenceFrom(small.second()),
                lockstep.second.name,
                small.second().differenceFrom(small.first()),
                small.asTest("foundByASequence"));
    }

    /** May a mapping end at the top of the address space without harm? */
    boolean topMappings() {
        return !profile.isBefore(KernelProfile.V7_2);
    }

    /** What is open or pinned on either kernel between two sequences. */
    List<String> leaks() {
        List<String> leaks = new ArrayList<>(simulatedLeaks());
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            List<String> found = new ArrayList<>(Files.readAllLines(Path.of("/proc/self/maps")));
            for (Path file : files.toList()) {
                if (Files.isSymbolicLink(file)) {
                    found.add(Files.readSymbolicLink(file).toString());
                }
            }
            found.removeIf(line -> !line.contains("/dev/vfio/") && !line.contains("[vfio"));
            found.forEach(line -> leaks.add(release + ": " + line));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return leaks;
    }

    List<String> simulatedLeaks() {
        List<String> leaks = new ArrayList<>(simulated.leaks());
        leaks.removeAll(ownMemory);
        return leaks;
    }

    @Override
    public String toString() {
        return lockstep.first.name + " and " + lockstep.second.name;
    }

    /** Takes a page away and leaves its address taken, so that nothing of the JVM is mapped there meanwhile. */
    private static void protect(long address) {
        Linker linker = Linker.nativeLinker();
        @SuppressWarnings("restricted")
        MethodHandle mprotect = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("mprotect"),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        try {
            if ((int) mprotect.invokeExact(address, Region.PAGE, 0) != 0) {
                throw new IllegalStateException("mprotect failed");
            }
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
