package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.IovaRange;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.sim.MbochsModel;
import io.github.vfio4j.sim.MdpyModel;
import io.github.vfio4j.sim.MediatedModel;
import io.github.vfio4j.sim.MttyModel;
import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import io.github.vfio4j.sim.SimIommu;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.SimPorts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The machine of vm/machine.sh as this Linux's sysfs shows it, and a simulated twin with the same addresses, groups,
 * identities, BARs and interrupts.
 */
final class TwinMachine {
    /** Alone in its group. */
    static final String EDU = "0000:00:04.0";
    /** Alone in its group, with three BARs. */
    static final String TESTDEV = "0000:00:08.0";
    /** Alone in its group: a network card with INTx, MSI and MSI-X. Opening and closing it resets it, 0.1 s each. */
    static final String CARD = "0000:00:06.0";
    /** The members of one group, behind a bridge; each last close of one resets their bus, which takes a second. */
    static final List<String> SHARED = List.of("0000:01:01.0", "0000:01:02.0", "0000:01:03.0");

    /** The bridge, which belongs to that group. */
    static final String BRIDGE = "0000:00:09.0";

    /** Behind no IOMMU, and bound to nothing. */
    static final String UNSAFE = "0000:41:00.0";

    /** The parameter that allows programs to have it. */
    static final String UNSAFE_MODE = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

    /** The driver of the host that is for the last member. */
    static final String E1000 = "e1000";

    private static final List<String> FUNCTIONS =
            Stream.concat(Stream.of(EDU, TESTDEV, CARD, BRIDGE), SHARED.stream()).toList();

    /** Two mediated devices of the sample driver mtty, if the kernel has it. */
    static final List<String> MTTYS =
            List.of("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "83b8f4f2-509f-382f-3c1e-e6bfe0fa1002");

    /** One of the sample driver mdpy, a display whose picture is a region. */
    static final String MDPY = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1003";

    /** One of the sample driver mbochs, a display whose pictures are dma-bufs. */
    static final String MBOCHS = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1004";

    /** Every mediated device by the name that its group has in paths, in the order that they are made. */
    private static final List<Map.Entry<String, String>> MEDIATED = List.of(
            Map.entry("$mtty", MTTYS.get(0)),
            Map.entry("$second_mtty", MTTYS.get(1)),
            Map.entry("$mdpy", MDPY),
            Map.entry("$mbochs", MBOCHS));

    /** AMD's IOMMU of 64 bits as QEMU emulates it, with the window of HyperTransport. */
    private static final SimIommu AMD = new SimIommu(
            -1,
            0xf_ff7f_ffff_f000L,
            true,
            List.of(new IovaRange(0xfee0_0000L, 0xfeef_ffffL), new IovaRange(0xfd_0000_0000L, 0xff_ffff_ffffL)));

    private static final Pattern NODE = Pattern.compile("\\$cdev_([0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]|[0-9a-f-]{36})");
    private static final String NONE = "none"; // a name that nothing has
    private static final Path DRIVERS = Path.of("/sys/bus/pci/drivers");
    private static final Path DEVICES = Path.of("/sys/bus/pci/devices");
    private static final Path MEDIATED_DEVICES = Path.of("/sys/bus/mdev/devices");
    private static final Path MTTY = creation("mtty", "2");

    final SimMachine simulated;
    private final List<Function> functions = new ArrayList<>();
    private final Map<String, String> names = new HashMap<>();
    private final Map<String, String> simulatedNames;

    TwinMachine(KernelProfile profile) {
        FUNCTIONS.forEach(address -> functions.add(new Function(address)));
        SimMachine.Builder builder = SimMachine.builder().kernel(profile);
        if (hasUnsafe()) {
            builder.deviceWithoutIommu(PciAddress.parse(UNSAFE), new Function(UNSAFE), "");
        }
        for (Function function : functions) {
            builder.iommu(function.group, iommu());
            builder.device(PciAddress.parse(function.address), function, function.group, function.hostDriver());
        }
        if (mediated()) {
            addMediated(builder);
        }
        simulated = builder.build();
        functions.forEach(this::bindAsHere);
        names.putAll(Map.of(
                "$edu", group(EDU), "$testdev", group(TESTDEV), "$card", group(CARD), "$shared", group(SHARED.getFirst())));
        simulatedNames = new HashMap<>(names);
        if (mediated()) {
            int last = functions.stream().mapToInt(function -> function.group).max().orElseThrow();
            for (Map.Entry<String, String> device : MEDIATED) {
                simulatedNames.put(device.getKey(), Integer.toString(++last));
                names.put(device.getKey(), makeMediated(device.getValue()));
            }
        }
    }

    /** Has this machine all functions that the twin shall have? */
    static boolean isHere() {
        return FUNCTIONS.stream().allMatch(address -> Files.exists(DEVICES.resolve(address)));
    }

    /** Which line of kernels a release belongs to. */
    static KernelProfile profile(String release) {
        if (release.startsWith("6.1.")) {
            return KernelProfile.V6_1;
        } else if (release.startsWith("6.12.")) {
            return KernelProfile.V6_12;
        } else if (release.startsWith("7.")) {
            return KernelProfile.V7_2;
        }
        throw new IllegalArgumentException("nobody knows the rules of Linux " + release);
    }

    /** Is it an Intel IOMMU that the functions are behind? A machine that is all simulated has that, too. */
    static boolean isBehindIntel() {
        return !Files.exists(Path.of("/sys/class/iommu/ivhd0"));
    }

    private static SimIommu iommu() {
        return isBehindIntel() ? SimIommu.INTEL : AMD;
    }

    /** The functions whose drivers root may change. */
    static List<String> functions() {
        return hasUnsafe() ? everyFunction() : FUNCTIONS;
    }

    /** The same of a machine that is all simulated. */
    static List<String> everyFunction() {
        return Stream.concat(FUNCTIONS.stream(), Stream.of(UNSAFE)).toList();
    }

    /** Has the kernel the mode without an IOMMU, and the machine a device for it? */
    static boolean hasUnsafe() {
        return Files.exists(Path.of(UNSAFE_MODE)) && Files.exists(DEVICES.resolve(UNSAFE));
    }

    /** Has the kernel mediated devices to try? */
    static boolean mediated() {
        return Files.exists(MTTY);
    }

    private static Path creation(String driver, String type) {
        return Path.of("/sys/devices/virtual/%1$s/%1$s/mdev_supported_types/%1$s-%2$s/create".formatted(driver, type));
    }

    /** Gives a machine all mediated devices. */
    static void addMediated(SimMachine.Builder machine) {
        for (Map.Entry<String, String> device : MEDIATED) {
            MediatedModel model = switch (device.getValue()) {
                case MDPY -> new MdpyModel();
                case MBOCHS -> new MbochsModel();
                default -> new MttyModel();
            };
            machine.mediatedDevice(UUID.fromString(device.getValue()), model);
        }
    }

    private static String makeMediated(String uuid) {
        Path device = MEDIATED_DEVICES.resolve(uuid);
        Path creation = switch (uuid) {
            case MDPY -> creation("mdpy", "vga");
            case MBOCHS -> creation("mbochs", "small");
            default -> MTTY;
        };
        try {
            if (!Files.exists(device)) {
                Files.writeString(creation, uuid);
            }
            return Files.readSymbolicLink(device.resolve("iommu_group")).getFileName().toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Gives the function without an IOMMU to vfio-pci, and goes on. */
    static Step[] giveUnsafe(Step... more) {
        Stream<Step> given = Stream.of(
                Step.sysfs(UNSAFE_MODE, "Y"), Step.override(UNSAFE, "vfio-pci"), Step.bind("vfio-pci", UNSAFE));
        return Stream.concat(given, Stream.of(more)).toArray(Step[]::new);
    }

    /** Opens that function, into these slots, and goes on. */
    static Step[] openUnsafe(int container, int group, int device, Step... more) {
        Stream<Step> opened = Stream.of(
                Step.open(container, Generator.CONTAINER),
                Step.open(group, Generator.UNSAFE_GROUP),
                Step.ioctl(group, VFIO_GROUP_SET_CONTAINER(), Step.fd(container)),
                Step.ioctl(container, VFIO_SET_IOMMU(), VFIO_NOIOMMU_IOMMU()),
                Step.getDevice(device, group, Step.text(UNSAFE)));
        return giveUnsafe(Stream.concat(opened, Stream.of(more)).toArray(Step[]::new));
    }

    /** A path with $edu, $testdev and so on replaced by their group numbers. */
    String path(String path) {
        return replaced(path, names, SysFs.linux());
    }

    /** The same for the simulated twin: mediated devices come later there. */
    String simulatedPath(String path) {
        return replaced(path, simulatedNames, SimPorts.sysfs(simulated));
    }

    /**
     * Replaces names by numbers. Some are others each time that a device is bound: the group of the one without an IOMMU
     * ($unsafe), and the nodes of devices ($cdev_ and the address without its domain, or the UUID).
     */
    static String replaced(String path, Map<String, String> names, SysFs sysfs) {
        String real = NODE.matcher(path).replaceAll(node -> node(sysfs, node.group(1)));
        if (real.contains("$unsafe")) {
            real = real.replace("$unsafe", unsafeGroup(sysfs));
        }
        for (Map.Entry<String, String> name : names.entrySet()) {
            real = real.replace(name.getKey(), name.getValue());
        }
        return real;
    }

    private static String node(SysFs sysfs, String device) {
        String home = device.contains(":") ? DEVICES + "/0000:" + device : MEDIATED_DEVICES + "/" + device;
        try {
            return sysfs.list(home + "/vfio-dev").getFirst();
        } catch (SysFs.Failure e) {
            return NONE;
        }
    }

    private static String unsafeGroup(SysFs sysfs) {
        try {
            String link = sysfs.readLink(DEVICES + "/" + UNSAFE + "/iommu_group");
            return link.substring(link.lastIndexOf('/') + 1);
        } catch (SysFs.Failure e) {
            return NONE;
        }
    }

    /** What stands for group numbers in paths. */
    Map<String, String> names() {
        return names;
    }

    /** Gives a function of the twin the driver that the real one has, and what overrides its choice. */
    private void bindAsHere(Function function) {
        PciAddress address = PciAddress.parse(function.address);
        if (!function.hostDriver().isEmpty()) {
            simulated.unbind(address);
        }
        try {
            Path device = DEVICES.resolve(function.address);
            Path driver = device.resolve("driver");
            if (Files.exists(driver)) {
                simulated.bind(address, Files.readSymbolicLink(driver).getFileName().toString());
            }
            String override = Files.readString(device.resolve("driver_override")).strip();
            if (!override.equals("(null)")) {
                SimPorts.sysfs(simulated).write(device + "/driver_override", override);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (SysFs.Failure e) {
            throw new IllegalStateException(e);
        }
    }

    /** What a member of that group is bound to when a machine starts that is all simulated. */
    static String firstDriver(String member) {
        return member.equals(SHARED.getLast()) ? E1000 : SimMachine.VFIO_PCI;
    }

    /** Then vfio-pci gets the last member, too; the host's driver stays the one that is for it. */
    static void giveLastToVfio(SimMachine machine) {
        PciAddress last = PciAddress.parse(SHARED.getLast());
        machine.unbind(last);
        machine.bind(last, SimMachine.VFIO_PCI);
    }

    /** The drivers besides vfio-pci that both kernels have. */
    static List<String> hostDrivers() {
        return Stream.of("pci-stub", E1000).filter(TwinMachine::isLoaded).toList();
    }

    private static boolean isLoaded(String driver) {
        return Files.exists(DRIVERS.resolve(driver));
    }

    private String group(String address) {
        return functions.stream()
                .filter(function -> function.address.equals(address))
                .map(function -> Integer.toString(function.group))
                .findFirst()
                .orElseThrow();
    }

    /** A function that has what sysfs says of the real one, and does nothing. */
    private static final class Function implements PciModel {
        private static final int BAR_IS_MEMORY = 0x200; // IORESOURCE_MEM
        private static final int STATUS = 0x06;
        private static final int STATUS_CAPABILITIES = 1 << 4;
        private static final int CAPABILITIES = 0x34;
        private static final int INTERRUPT_PIN = 0x3d;
        private static final int MSI = 0x05;
        private static final int MSIX = 0x11;
        private static final int EXPRESS = 0x10;

        final String address;
        final int group;
        private final PciIdentity identity;
        private final List<PciBar> bars = new ArrayList<>();
        private int interruptPin;
        private int msiVectors;
        private int msixVectors;
        private boolean express;
        private final boolean resettable;

        Function(String address) {
            this.address = address;
            Path device = DEVICES.resolve(address);
            try {
                Path link = device.resolve("iommu_group");
                group = Files.exists(link) ? Integer.parseInt(Files.readSymbolicLink(link).getFileName().toString()) : -1;
                identity = new PciIdentity(number(device, "vendor"), number(device, "device"), number(device, "class"));
                resettable = resettable(device);
                List<String> resources = Files.readAllLines(device.resolve("resource"));
                for (int index = 0; index < 6; index++) {
                    String[] resource = resources.get(index).split(" ");
                    long start = Long.decode(resource[0]);
                    long size = Long.decode(resource[1]) - start + 1;
                    boolean memory = (Long.decode(resource[2]) & BAR_IS_MEMORY) != 0;
                    if (start != 0) {
                        bars.add(new PciBar(index, size, memory && size >= 4096));
                    }
                }
                interrupts(ByteBuffer.wrap(Files.readAllBytes(device.resolve("config"))).order(ByteOrder.LITTLE_ENDIAN));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /**
         * A reset of the bus counts only for a function that is alone on it: found possible for the first of several, it
         * never works.
         */
        private static boolean resettable(Path device) throws IOException {
            Path methods = device.resolve("reset_method");
            String other = device.endsWith(UNSAFE) ? "" : "bus";
            return Files.exists(methods) && !Files.readString(methods).replace(other, "").isBlank();
        }

        private static int number(Path device, String file) throws IOException {
            return Integer.decode(Files.readString(device.resolve(file)).strip());
        }

        private void interrupts(ByteBuffer config) {
            interruptPin = config.get(INTERRUPT_PIN);
            int at = (config.getShort(STATUS) & STATUS_CAPABILITIES) != 0 ? config.get(CAPABILITIES) & 0xfc : 0;
            while (at != 0) {
                int control = config.getShort(at + 2);
                if (config.get(at) == MSI) {
                    msiVectors = 1 << (control >> 1 & 7);
                } else if (config.get(at) == MSIX) {
                    msixVectors = (control & 0x7ff) + 1;
                }
                express |= config.get(at) == EXPRESS;
                at = config.get(at + 1) & 0xfc;
            }
        }

        /** The driver of the host that is for it and loaded, or nothing. */
        String hostDriver() {
            return address.equals(SHARED.getLast()) && isLoaded(E1000) ? E1000 : "";
        }

        @Override
        public PciIdentity identity() {
            return identity;
        }

        @Override
        public List<PciBar> bars() {
            return bars;
        }

        @Override
        public int interruptPin() {
            return interruptPin;
        }

        @Override
        public int vectors() {
            return msixVectors;
        }

        @Override
        public int msiVectors() {
            return msiVectors;
        }

        @Override
        public boolean express() {
            return express;
        }

        @Override
        public boolean resettable() {
            return resettable;
        }
    }
}
