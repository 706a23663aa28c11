package io.github.vfio4j.sim.differential;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.SimPorts;
import java.io.IOException;
import java.io.UncheckedIOException;
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
    private final SecondProcess second;
    private final List<String> ownMemory;

    private Twins() {
        TwinMachine machine = new TwinMachine(profile);
        simulated = machine.simulated;
        Side linux = Side.onLinux("Linux " + release, machine::path);
        second = SecondProcess.start(linux, machine.names());
        Side twin = Side.simulated("simulated " + profile, SimPorts.syscalls(simulated.startProcess()), machine::simulatedPath);
        twin.connect(Side.simulated("second process", SimPorts.syscalls(simulated.startProcess()), machine::simulatedPath));
        linux.administrator = Administrator.onLinux(TwinMachine.functions());
        twin.administrator = Administrator.simulated(simulated, TwinMachine.functions());
        ownMemory = simulated.leaks();
        lockstep = new Lockstep(linux, twin);
        api = new ThroughTheApi(
                new ApiProgram(linux, SysFs.linux(), scope().topMappings()),
                new ApiProgram(twin, SimPorts.sysfs(simulated), scope().topMappings()),
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
        Recording recording = new Recording(source);
        Optional<Disagreement> found = lockstep.run(recording);
        return found.isPresent() ? found : api.run(recording.steps());
    }

    /** Shrinks a disagreement and says what to know of it. */
    String describe(Disagreement found) {
        Disagreement small = (found.isThroughTheApi() ? api : lockstep).shrink(found);
        return "%d steps, shrunk to %d%n".formatted(found.steps().size(), small.steps().size()) + small.describe();
    }

    /** What there is on both. Before Linux 7 a mapping that ends at the top of the address space does harm. */
    Generator.Scope scope() {
        return new Generator.Scope(
                !profile.isBefore(KernelProfile.V7_2),
                TwinMachine.mediated(),
                Files.exists(Path.of("/dev/kvm")),
                TwinMachine.hasUnsafe(),
                TwinMachine.hostDrivers());
    }

    /** What is open or pinned on either kernel between two sequences. */
    List<String> leaks() {
        List<String> leaks = new ArrayList<>(simulatedLeaks());
        linuxLeaks("self", leaks);
        linuxLeaks(Long.toString(second.pid()), leaks);
        return leaks;
    }

    private void linuxLeaks(String process, List<String> leaks) {
        Path proc = Path.of("/proc", process);
        try (Stream<Path> files = Files.list(proc.resolve("fd"))) {
            List<String> found = new ArrayList<>(Files.readAllLines(proc.resolve("maps")));
            for (Path file : files.toList()) {
                if (Files.isSymbolicLink(file)) {
                    found.add(Files.readSymbolicLink(file).toString());
                }
            }
            found.removeIf(line -> !line.contains("/dev/vfio/") && !line.contains("/dev/iommu") && !line.contains("[vfio") && !line.contains("kvm"));
            found.forEach(line -> leaks.add("%s, process %s: %s".formatted(release, process, line)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
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
}
