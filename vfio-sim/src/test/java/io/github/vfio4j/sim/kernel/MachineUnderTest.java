package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.Contract;
import io.github.vfio4j.MediatedDevice;
import io.github.vfio4j.MediatedDevices;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.Kernel;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * A machine with VFIO devices, and what a test can do to it from outside. The simulated one and the one that Linux runs
 * on look the same from here; the system property {@code vfio4j.kernel} chooses.
 */
interface MachineUnderTest extends AutoCloseable {
    /** Returns a simulated machine as new, or the real one. */
    static MachineUnderTest start() {
        String kernel = System.getProperty("vfio4j.kernel", "sim");
        return switch (kernel) {
            case "sim" -> new SimulatedMachine();
            case "linux" -> new LinuxMachine();
            default -> throw new IllegalArgumentException("-Dvfio4j.kernel is sim or linux, not " + kernel);
        };
    }

    /** Returns a machine that cannot isolate interrupts and does not waive that; passes a test over where the real one can. */
    static MachineUnderTest startWithoutInterruptRemapping() {
        if (!(start() instanceof LinuxMachine linux)) {
            return new SimulatedMachine(false);
        }
        linux.insistOnInterruptRemapping();
        return linux;
    }

    /** Returns the VFIO of this process; its system calls are recorded. */
    Vfio open();

    /** Returns the VFIO of this process under a contract. */
    Vfio open(Contract contract);

    /** Returns the kernel that is behind {@link #open}: the ports, which refuse nothing by rules. */
    Kernel kernel();

    /** Is this a real Linux 6.1? */
    default boolean isLinux61() {
        return kernel().name().contains("Linux 6.1.");
    }

    /** Returns the system calls of this process. */
    Syscalls syscalls();

    /** Returns an address of a Unix socket that nobody uses. */
    String socketAddress();

    /** Lets another process do what {@link HandoverPeer} can, until closed. */
    Peer startPeer();

    /** Returns what the process called so far that changed state. */
    List<String> changes();

    /** Returns how many system calls the process made so far, harmless ones and all. */
    long calls();

    /** Returns an NVMe controller that is alone in its group, bound to vfio-pci. */
    PciAddress nvme();

    /** Returns another device that is alone in its group, bound to vfio-pci. */
    PciAddress loner();

    /** Returns two devices that share a group, bound to vfio-pci; the second one is like the loner. */
    List<PciAddress> siblings();

    /** Have these a bus of their own, which can be reset? A root bus cannot. */
    default boolean siblingsHaveABus() {
        return siblings().getFirst().bus() != 0;
    }

    /** Do these reach memory? Behind an AMD IOMMU QEMU does not let what is behind a bridge. */
    default boolean siblingsDoDma() {
        return true;
    }

    /**
     * Has a page table its reach before a device is attached to it? That of Linux's virtio-iommu has none then, so that an
     * address space with one that the program made is empty, and no device moves to where something is mapped.
     */
    default boolean pageTablesReachAtOnce() {
        return true;
    }

    /** Does the machine isolate interrupts, so that nothing waives that? */
    default boolean remapsInterrupts() {
        return true;
    }

    /** Makes a mediated device without DMA, if the kernel has such a thing; it goes with the machine. */
    default Optional<UUID> mediatedDevice() {
        return mediatedDevice("mtty", "2");
    }

    /** Makes a mediated device of one of the kernel's sample drivers, if the kernel has it; it goes with the machine. */
    default Optional<UUID> mediatedDevice(String driver, String type) {
        MediatedDevices all = open().mediatedDevices();
        return all.types().stream()
                .filter(found -> found.name().equals(driver + "-" + type))
                .findFirst()
                .map(found -> {
                    MediatedDevice made = all.create(found);
                    atEnd(made::close);
                    return made.name();
                });
    }

    /** Has something done when the machine is closed, before what was to be done earlier. */
    void atEnd(Runnable work);

    /** Binds a device behind no IOMMU to vfio-pci, if the kernel lets that happen; until the machine is closed. */
    Optional<PciAddress> deviceWithoutIommu();

    /** Binds a function that can have two virtual ones to vfio-pci, which may make them; until the machine is closed. */
    PciAddress physicalFunction();

    /** Binds such a function of another kind, if the machine has one; until the machine is closed. */
    Optional<PciAddress> physicalCard();

    /** Reserves some huge pages of 2 MiB, as long as the machine lives; says how many there are then. */
    int reserveHugePages();

    /** Tells whether the kernel has an iommufd, and devices have nodes of their own. */
    boolean hasIommufd();

    /** Makes another name for a group's node. */
    default Path aliasOf(int group) {
        return aliasOf(Integer.toString(group));
    }

    /** Makes another name for a node in /dev/vfio. */
    Path aliasOf(String node);

    /** Lets another process open a group, until closed. */
    AutoCloseable otherProcessHolds(int group);

    /** Binds one of the siblings' group to a host driver, until closed; says which driver. */
    HostDriver hostDriverTakesAMember();

    /** Returns the tree of the machine's devices, for one who is root. */
    SysFs sysfs();

    /** Takes a device from vfio-pci; waits until whoever uses it has closed it. */
    void unbind(PciAddress address);

    /** Gives a device without a driver to vfio-pci. */
    void bindToVfio(PciAddress address);

    /** Has a device report an error that it cannot correct; tells whether that can be done here. */
    boolean reportError(PciAddress address);

    /** Lists the VFIO files, eventfds, epoll files and mappings that this process has, and memory that is pinned. */
    List<String> filesAndMappings();

    @Override
    void close();

    /** Another process that obeys. */
    interface Peer extends AutoCloseable {
        /** Returns what it says when it has done a command. */
        String ask(String command);

        /** Kills it, as SIGKILL does. */
        void kill();

        @Override
        void close();
    }

    /** A member of a group in the hands of a host driver. */
    interface HostDriver extends AutoCloseable {
        PciAddress member();

        String driver();

        @Override
        void close();
    }
}
