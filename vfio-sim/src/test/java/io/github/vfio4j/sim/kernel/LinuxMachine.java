package io.github.vfio4j.sim.kernel;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Contract;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.Kernel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The machine that this JVM runs on, which has the devices of vm/machine.sh. */
final class LinuxMachine implements MachineUnderTest {
    private static final int EDU = 0x11e8;
    private static final int NVME = 0x0010;
    private static final int TESTDEV = 0x0005;
    private static final int E1000 = 0x100e;
    private static final int IGB = 0x10c9;

    private final Recorder recorder = new Recorder(Syscalls.linux());
    private final Kernel kernel =
            new FfmKernel("Linux " + System.getProperty("os.version"), recorder, SysFs.linux(), Notes.linux());
    private final List<String> atStart = ofThisProcess();
    private final List<PciDevice> devices;
    private final List<Path> aliases = new ArrayList<>();
    private final Deque<Runnable> atEnd = new ArrayDeque<>(); // the newest first

    LinuxMachine() {
        try (Vfio vfio = open()) {
            devices = vfio.pciDevices();
        }
    }

    @Override
    public Vfio open() {
        return open(Contract.STRICT);
    }

    @Override
    public Vfio open(Contract contract) {
        return Vfio.on(kernel, contract);
    }

    @Override
    public Kernel kernel() {
        return kernel;
    }

    @Override
    public Syscalls syscalls() {
        return recorder;
    }

    @Override
    public SysFs sysfs() {
        return SysFs.linux();
    }

    @Override
    public String socketAddress() {
        try {
            Path socket = Files.createTempDirectory("handover").resolve("socket");
            aliases.add(socket);
            return socket.toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public Peer startPeer() {
        return LinuxPeer.take();
    }

    @Override
    public List<String> changes() {
        return recorder.changes();
    }

    @Override
    public long calls() {
        return recorder.calls();
    }

    /** Where interrupts are not remapped, vm/run waives that; until the machine is closed nothing does. */
    void insistOnInterruptRemapping() {
        assumeTrue(!remapsInterrupts(), "this machine remaps interrupts");
        for (Path waiver : waivers()) {
            write(waiver, "N");
            atEnd(() -> write(waiver, "Y"));
        }
    }

    @Override
    public boolean remapsInterrupts() {
        return waivers().stream().anyMatch(waiver -> !read(waiver).equals("Y"));
    }

    private static List<Path> waivers() {
        return Stream.of("vfio_iommu_type1", "iommufd")
                .map(module -> Path.of("/sys/module/" + module + "/parameters/allow_unsafe_interrupts"))
                .filter(Files::exists)
                .toList();
    }

    @Override
    public boolean pageTablesReachAtOnce() {
        return Stream.of("dmar0", "ivhd0").anyMatch(iommu -> Files.exists(Path.of("/sys/class/iommu", iommu)));
    }

    @Override
    public PciAddress nvme() {
        return only(NVME, false).address();
    }

    @Override
    public PciAddress loner() {
        return only(EDU, false).address();
    }

    @Override
    public List<PciAddress> siblings() {
        return List.of(only(TESTDEV, true).address(), only(EDU, true).address());
    }

    private PciDevice only(int deviceId, boolean sharesGroup) {
        return devices.stream()
                .filter(device -> device.deviceId() == deviceId && sharesGroup(device) == sharesGroup)
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("no device %04x in %s".formatted(deviceId, devices)));
    }

    private boolean sharesGroup(PciDevice device) {
        return devices.stream().anyMatch(other -> other != device && other.iommuGroup().equals(device.iommuGroup()));
    }

    @Override
    public boolean siblingsDoDma() {
        return !siblingsHaveABus() || !Files.exists(Path.of("/sys/class/iommu/ivhd0"));
    }

    @Override
    public void atEnd(Runnable work) {
        atEnd.push(work);
    }

    @Override
    public Optional<PciAddress> deviceWithoutIommu() {
        Path allowed = Path.of("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
        PciAddress address = PciAddress.parse("0000:41:00.0"); // of vm/machine.sh
        if (!Files.exists(allowed) || !Files.exists(deviceDirectory(address))) {
            return Optional.empty();
        }
        bindAllowed(address, allowed);
        return Optional.of(address);
    }

    /** Gives a device to vfio-pci as long as this lives, with a parameter on that this needs. */
    private void bindAllowed(PciAddress address, Path allowed) {
        write(allowed, "Y");
        atEnd(() -> write(allowed, "N"));
        bind(address, "vfio-pci");
        atEnd(() -> write(deviceDirectory(address).resolve("driver_override"), "\n"));
        atEnd(() -> unbind(address));
    }

    @Override
    public PciAddress physicalFunction() {
        PciAddress address = PciAddress.parse("0000:02:00.0"); // of vm/machine.sh
        assumeTrue(Files.exists(deviceDirectory(address)), "this machine has no function with virtual ones");
        return withSriov(address);
    }

    @Override
    public Optional<PciAddress> physicalCard() {
        return devices.stream()
                .filter(device -> device.deviceId() == IGB)
                .findFirst()
                .map(device -> withSriov(device.address()));
    }

    private PciAddress withSriov(PciAddress address) {
        bindAllowed(address, Path.of("/sys/module/vfio_pci/parameters/enable_sriov"));
        return address;
    }

    @Override
    public int reserveHugePages() {
        Path number = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        if (!Files.exists(number)) {
            return 0;
        }
        write(number, "4");
        atEnd(() -> write(number, "0"));
        return Integer.parseInt(read(number));
    }

    @Override
    public boolean hasIommufd() {
        return Files.exists(Path.of("/dev/iommu"));
    }

    private static Path deviceDirectory(PciAddress address) {
        return Path.of("/sys/bus/pci/devices/" + address);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public Path aliasOf(String node) {
        try {
            Path alias = Files.createTempDirectory("alias").resolve("group");
            aliases.add(alias);
            return Files.createSymbolicLink(alias, Path.of("/dev/vfio/" + node));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public AutoCloseable otherProcessHolds(int group) {
        try {
            Process holder = new ProcessBuilder("sh", "-c", "exec 3<>/dev/vfio/" + group + " && echo held && cat")
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String line = holder.inputReader().readLine();
            if (!"held".equals(line)) {
                throw new IllegalStateException("another process could not open group " + group);
            }
            return () -> {
                holder.outputWriter().close();
                holder.waitFor();
            };
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public HostDriver hostDriverTakesAMember() {
        PciAddress member = only(E1000, true).address();
        bind(member, "e1000");
        return new HostDriver() {
            @Override
            public PciAddress member() {
                return member;
            }

            @Override
            public String driver() {
                return "e1000";
            }

            @Override
            public void close() {
                bind(member, "vfio-pci");
            }
        };
    }

    private static void bind(PciAddress address, String driver) {
        Path device = deviceDirectory(address);
        try {
            if (Files.exists(device.resolve("driver"))) {
                Files.writeString(device.resolve("driver/unbind"), address.toString());
            }
            Files.writeString(device.resolve("driver_override"), driver);
            Files.writeString(Path.of("/sys/bus/pci/drivers_probe"), address.toString());
            String bound = Files.readSymbolicLink(device.resolve("driver")).getFileName().toString();
            if (!bound.equals(driver)) {
                throw new IllegalStateException(address + " is bound to " + bound + ", not " + driver);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void unbind(PciAddress address) {
        try {
            Files.writeString(Path.of("/sys/bus/pci/drivers/vfio-pci/unbind"), address.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void bindToVfio(PciAddress address) {
        bind(address, "vfio-pci");
    }

    @Override
    public boolean reportError(PciAddress address) {
        return false;
    }

    @Override
    public List<String> filesAndMappings() {
        List<String> found = new ArrayList<>(recorder.mappings());
        found.addAll(ofThisProcess());
        found.removeAll(atStart);
        return found;
    }

    /** What /proc shows of files for VFIO and for waiting, of mapped device files, and of pinned memory. */
    private static List<String> ofThisProcess() {
        List<String> found = new ArrayList<>();
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            for (Path file : files.toList()) {
                if (Files.isSymbolicLink(file)) {
                    String target = Files.readSymbolicLink(file).toString();
                    if (target.matches(".*(vfio|iommu|kvm|dmabuf|\\[event|socket:).*")) {
                        found.add(file + ": " + target);
                    }
                }
            }
            found.addAll(Files.readAllLines(Path.of("/proc/self/maps")).stream()
                    .filter(line -> line.contains("vfio"))
                    .toList());
            found.addAll(Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("VmLck"))
                    .toList());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        found.removeIf(line -> line.contains(".jar") || line.contains("/classes"));
        return found;
    }

    @Override
    public void close() {
        while (!atEnd.isEmpty()) {
            atEnd.pop().run();
        }
        try {
            for (Path alias : aliases) {
                Files.deleteIfExists(alias);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
