package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaFile;
import io.github.vfio4j.Group;
import io.github.vfio4j.GroupStatus;
import io.github.vfio4j.Handover;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ReceivedGroup;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.Kernel;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.UUID;

/** The other process of a handover: reads commands, one a line, and answers each with a line. */
final class HandoverPeer {
    private final Vfio vfio;
    private final Syscalls calls;
    private Handover connection;
    private ReceivedGroup group;
    private Device device;
    private DmaFile memory;
    private Iommufd iommufd;
    private Type1 iommu;
    private Group attached;

    private HandoverPeer(Vfio vfio, Syscalls calls) {
        this.vfio = vfio;
        this.calls = calls;
    }

    /** On Linux, a JVM of its own. */
    public static void main(String[] args) {
        Kernel kernel = new FfmKernel(
                "Linux " + System.getProperty("os.version"), Syscalls.linux(), SysFs.linux(), Notes.linux());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        boolean more = true;
        while (more) {
            more = serve(Vfio.on(kernel, Contract.KERNEL), Syscalls.linux(), in, out);
        }
    }

    /** Obeys until "reset" (true) or the end of the commands (false), then closes all. */
    static boolean serve(Vfio vfio, Syscalls calls, BufferedReader in, PrintWriter out) {
        try (vfio) {
            HandoverPeer peer = new HandoverPeer(vfio, calls);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.equals("reset")) {
                    vfio.close();
                    out.println("closed");
                    return true;
                }
                String answer;
                try {
                    answer = peer.obey(line.split(" "));
                } catch (VfioException e) {
                    answer = e.operation() + " " + e.errno().name();
                } catch (RuntimeException e) {
                    answer = e.toString();
                }
                out.println(answer);
            }
            return false;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String obey(String... command) {
        switch (command[0]) {
            case "bind" -> vfio.binder().bind(PciAddress.parse(command[1]), Duration.ofSeconds(30));
            case "connect" -> connection = vfio.connect(command[1]);
            case "group" -> {
                group = connection.receiveGroup();
                return group.number() + " " + text(group.status());
            }
            case "status" -> {
                return text(group.status());
            }
            case "open" -> device = group.openDevice(PciAddress.parse(command[1]));
            case "open-with" -> device = group.openDevice(PciAddress.parse(command[1]), UUID.fromString(command[2]));
            case "device" -> {
                device = connection.receiveDevice();
                return device.info().pci() ? "PCI device" : "device";
            }
            case "identify" -> {
                return "%04x:%04x".formatted(device.config().read16(0), device.config().read16(2));
            }
            case "attach" -> {
                Container container = vfio.openContainer();
                attached = group.attachTo(container);
                iommu = container.setIommu(IommuType.TYPE1_V2);
            }
            case "open-attached" -> device = iommu.openDevice(attached, PciAddress.parse(command[1]));
            case "memory" -> {
                memory = connection.receiveDmaFile();
                return Long.toString(memory.size());
            }
            case "iommufd" -> iommufd = connection.receiveIommufd();
            case "change-process" -> iommufd.changeProcess();
            case "read" -> { // in an address space without devices
                DmaBuffer buffer = iommufd.allocateIoas().map(memory, Access.READ);
                return Long.toString(buffer.segment().get(ValueLayout.JAVA_LONG, Long.parseLong(command[1], 16)));
            }
            case "move" -> move(Long.parseLong(command[1], 16), Long.parseLong(command[2], 16));
            case "close-device" -> device.close();
            case "close-group" -> group.close();
            case "close" -> vfio.close();
            case "adopt-vm" -> adoptVm(descriptor(command[1]));
            default -> throw new IllegalArgumentException(command[0]);
        }
        return "done";
    }

    /** Lets edu move memory. */
    private void move(long from, long to) {
        Mmio registers = EduDma.ready(device);
        EduDma.toDevice(registers, from);
        EduDma.fromDevice(registers, to);
    }

    private void adoptVm(int vm) {
        try {
            vfio.adoptKvmVm(vm).close();
        } finally {
            calls.close(new Frame(), vm);
        }
    }

    private static String text(GroupStatus status) {
        return (status.viable() ? "viable" : "not viable") + (status.containerSet() ? ", in a container" : "");
    }

    /** Takes a descriptor of any kind. */
    private int descriptor(String address) {
        Frame frame = new Frame();
        int socket = calls.socket(frame, Syscalls.SOCK_SEQPACKET);
        int[] one = {-1};
        try (Arena arena = Arena.ofConfined()) {
            if (calls.connect(frame, socket, address) != 0 || calls.recvmsg(frame, socket, arena.allocate(8), one) < 0) {
                throw new IllegalStateException("nothing came");
            }
            return one[0];
        } finally {
            calls.close(frame, socket);
        }
    }
}
