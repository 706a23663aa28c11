package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A simulated computer: a kernel with VFIO, an IOMMU, and PCI devices that {@linkplain PciModel models} play. It answers
 * system calls as Linux does, from the same argument bytes and with the same errnos, and needs no privilege and no
 * hardware. Nothing of it is shared with another machine.
 *
 * <p>What it cannot show: an access to a mapped BAR whose device does not decode it, or was unmapped, ends a program on
 * Linux with SIGBUS or SIGSEGV; here it reaches memory that means nothing. And where Linux keeps memory that was pinned
 * for DMA although the program unmapped it, here such DMA is a {@linkplain #faults() fault}, since it is a mistake.
 *
 * <p>All methods are safe from any thread. A device model runs without the kernel's lock.
 */
public final class SimMachine implements AutoCloseable {
    /** The driver that gives a function to programs. */
    public static final String VFIO_PCI = "vfio-pci";

    /** Bytes of a huge page. */
    static final long HUGE_PAGE = 1L << 21;

    private static final int MOST_FAULTS = 1000;
    private final KernelProfile profile;
    private final boolean interruptRemapping;
    private final boolean unsafeInterruptsAllowed;
    private final AtomicLong freeHugePages;
    private final long memlockLimit;
    private final int dmaEntryLimit;
    private final KernelLock kernel = new KernelLock();
    private final Object interruptLock = new Object();
    private final DeviceNodes nodes = new DeviceNodes(this);
    private final Drivers drivers = new Drivers(this, nodes);
    private final Mediator mediator;
    private final SysFs sysfs = new SimSysFs(this, true);
    private final Map<PciAddress, PciFunction> functions = new ConcurrentSkipListMap<>(); // changed under kernel
    private boolean noIommuAllowed; // guarded by kernel
    private boolean sriovAllowed; // guarded by kernel
    private int groupsMade; // no group has this number or a higher one; guarded by kernel
    private final List<SimProcess> processes = new ArrayList<>(); // guarded by kernel
    private int processesStarted; // guarded by kernel
    private final Map<String, String> notes = new HashMap<>(); // guarded by kernel
    private long pagesLockedByUser; // guarded by kernel
    private boolean iommufdAllowed; // guarded by kernel
    private final Map<String, UnixSocket> sockets = new HashMap<>(); // by address; guarded by kernel
    private final List<DmaFault> faults = new ArrayList<>(); // guarded by itself

    private SimMachine(Builder builder) {
        profile = builder.profile;
        interruptRemapping = builder.interruptRemapping;
        unsafeInterruptsAllowed = builder.unsafeInterruptsAllowed;
        memlockLimit = builder.memlockLimit;
        freeHugePages = new AtomicLong(builder.hugePages);
        dmaEntryLimit = builder.dmaEntryLimit;
        noIommuAllowed = builder.noIommuAllowed;
        Map<Integer, IommuGroup> groups = new HashMap<>();
        for (Builder.Slot slot : builder.slots) {
            IommuGroup group = slot.group() == Builder.NO_GROUP
                    ? null
                    : groups.computeIfAbsent(slot.group(), number -> new IommuGroup(
                            number, GroupType.IOMMU, builder.iommus.getOrDefault(number, SimIommu.INTEL)));
            PciFunction function = new PciFunction(slot.address(), slot.model(), group, null);
            if (group != null) {
                group.members.add(function);
            }
            functions.put(slot.address(), function);
        }
        groupsMade = groups.keySet().stream().mapToInt(number -> number + 1).max().orElse(0);
        builder.virtual.forEach((address, virtual) -> functions.get(address).virtual.addAll(virtual));
        for (Builder.Slot slot : builder.slots) {
            if (!slot.driver().isEmpty()) {
                drivers.bind(functions.get(slot.address()), slot.driver());
            }
        }
        mediator = new Mediator(this, builder.parents);
        builder.mediated.forEach((name, model) -> drivers.add(name, Optional.empty(), model));
    }

    /**
     * Starts to describe a machine: Linux 7.2, interrupt remapping on, no device.
     *
     * @return the description
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Starts a process of root's.
     *
     * @return the process
     */
    public SimProcess startProcess() {
        return start(true);
    }

    /**
     * Starts a process of root's and returns its VFIO: all that a test of a driver needs.
     *
     * @return the VFIO of a new process
     */
    public Vfio open() {
        return startProcess().open();
    }

    /**
     * Starts a process without privileges: it opens only the groups that it {@linkplain #allowGroup may}, and the limit on
     * locked memory holds for it.
     *
     * @return the process
     */
    public SimProcess startUnprivilegedProcess() {
        return start(false);
    }

    private SimProcess start(boolean privileged) {
        kernel.lock();
        try {
            SimProcess process = new SimProcess(this, ++processesStarted, privileged, nodes);
            processes.add(process);
            return process;
        } finally {
            kernel.unlock();
        }
    }

    Notes notesFor(SimProcess process) {
        return new SimNotes(this, process, notes);
    }

    boolean isRunning(String process) {
        kernel.lock();
        try {
            return processes.stream().anyMatch(running -> running.name().equals(process));
        } finally {
            kernel.unlock();
        }
    }

    void ended(SimProcess process) {
        processes.remove(process);
    }

    /**
     * Lets every user open a group, and its devices by their own nodes, as a udev rule would.
     *
     * @param group the group's number
     */
    public void allowGroup(int group) {
        kernel.lock();
        try {
            nodes.allow(group);
        } finally {
            kernel.unlock();
        }
    }

    /** Lets every user open {@code /dev/iommu}, as a udev rule would. */
    public void allowIommufd() {
        kernel.lock();
        iommufdAllowed = true;
        kernel.unlock();
    }

    boolean iommufdAllowed() {
        return iommufdAllowed;
    }

    /**
     * Makes another node for the same device, as mknod would.
     *
     * @param path the new node's path
     * @param node the node that it is an alias of, such as {@code /dev/vfio/26}
     */
    public void addAlias(String path, String node) {
        kernel.lock();
        try {
            nodes.alias(path, node);
        } finally {
            kernel.unlock();
        }
    }

    /**
     * Binds a function to a driver, as root would through sysfs.
     *
     * @param address the function
     * @param driver {@link #VFIO_PCI}, or any other name: that of a host driver
     * @throws IllegalStateException if it has a driver (EBUSY), a host driver is to get a member of a group that is in
     *     a container (EBUSY), or vfio-pci a bridge (EINVAL)
     */
    public void bind(PciAddress address, String driver) {
        try {
            drivers.bind(function(address), driver);
        } catch (KernelError e) {
            throw new IllegalStateException("bind of %s to %s: %s".formatted(address, driver, new Errno(e.errno())));
        }
    }

    /**
     * Unbinds a function from its driver, as root would through sysfs. While a program has the device open this blocks, and
     * signals the program's request interrupt.
     *
     * @param address the function
     * @throws IllegalStateException if it has no driver (ENODEV)
     */
    public void unbind(PciAddress address) {
        try {
            drivers.unbind(function(address), Optional.empty());
        } catch (KernelError e) {
            throw new IllegalStateException("unbind of %s: %s".formatted(address, new Errno(e.errno())));
        }
    }

    /**
     * Has a function report an error that it cannot correct, as PCI Express functions do: signals the program's error
     * interrupt, if vfio-pci has the function and the program enabled that.
     *
     * @param address the function
     */
    public void reportError(PciAddress address) {
        function(address).vfio().ifPresent(device -> device.interrupts.error());
    }

    /**
     * Lists what the IOMMU stopped so far: the first 1000 accesses.
     *
     * @return the faults, oldest first
     */
    public List<DmaFault> faults() {
        synchronized (faults) {
            return List.copyOf(faults);
        }
    }

    void fault(DmaFault fault) {
        synchronized (faults) {
            if (faults.size() < MOST_FAULTS) {
                faults.add(fault);
            }
        }
    }

    /**
     * Lists what living processes have not given back, and devices that have power still.
     *
     * @return a line for each; empty when every program closed everything
     */
    public List<String> leaks() {
        kernel.lock();
        try {
            List<String> leaks = new ArrayList<>();
            processes.forEach(process -> leaks.addAll(process.leaks()));
            functions.values().stream()
                    .filter(function -> function.vfio().isPresent()
                            && function.vfio().get().isOpen())
                    .forEach(function -> leaks.add("device " + function.address + " is open"));
            return leaks;
        } finally {
            kernel.unlock();
        }
    }

    /** Ends the machine: kills the processes that still live, so that its devices stop and its memory is freed. */
    @Override
    public void close() {
        List<SimProcess> living;
        kernel.lock();
        try {
            living = List.copyOf(processes);
        } finally {
            kernel.unlock();
        }
        living.forEach(SimProcess::kill);
    }

    /**
     * Returns the line of kernels whose answers it gives.
     *
     * @return the line
     */
    public KernelProfile profile() {
        return profile;
    }

    SysFs sysfs() {
        return sysfs;
    }

    Drivers drivers() {
        return drivers;
    }

    Mediator mediator() {
        return mediator;
    }

    KernelLock kernel() {
        return kernel;
    }

    /** The addresses of Unix sockets, those of closed ones that left a file included. */
    Map<String, UnixSocket> sockets() {
        return sockets;
    }

    /** The lock of all interrupts of PCI functions. */
    Object interruptLock() {
        return interruptLock;
    }

    Collection<PciFunction> functions() {
        return functions.values();
    }

    /** A virtual function comes. The kernel's lock is held. */
    void add(PciFunction function) {
        functions.put(function.address, function);
    }

    /** It goes. The kernel's lock is held. */
    void remove(PciFunction function) {
        functions.remove(function.address);
    }

    Collection<VfioGroup> vfioGroups() {
        return nodes.groups();
    }

    /** Returns a number that no group has had. */
    int freeGroup() {
        return groupsMade++;
    }

    /** Returns the lowest number that no device of a VFIO driver has in the name of its node. */
    int freeDeviceIndex() {
        Set<Integer> taken = new HashSet<>();
        vfioGroups().forEach(group -> group.devices().forEach(device -> taken.add(device.index)));
        int index = 0;
        while (taken.contains(index)) {
            index++;
        }
        return index;
    }

    /** Has the kernel iommufds, and devices nodes of their own? */
    boolean hasIommufd() {
        return !profile.isBefore(KernelProfile.V6_12);
    }

    /** enable_unsafe_noiommu_mode; the kernel's lock is held. */
    boolean noIommuAllowed() {
        return noIommuAllowed;
    }

    void allowNoIommu(boolean allowed) {
        noIommuAllowed = allowed;
    }

    /** enable_sriov of vfio-pci; the kernel's lock is held. */
    boolean sriovAllowed() {
        return sriovAllowed;
    }

    void allowSriov(boolean allowed) {
        sriovAllowed = allowed;
    }

    boolean interruptRemapping() {
        return interruptRemapping;
    }

    boolean unsafeInterruptsAllowed() {
        return unsafeInterruptsAllowed;
    }

    /** The pages that the unprivileged processes, which all are one user's, have pinned with iommufds. */
    long pagesLockedByUser() {
        return pagesLockedByUser;
    }

    void lockedByUser(long more) {
        pagesLockedByUser += more;
    }

    /** May devices of untrusted programs raise message interrupts? */
    boolean interruptsIsolated() {
        return interruptRemapping || unsafeInterruptsAllowed;
    }

    long memlockLimit() {
        return memlockLimit;
    }

    /** Takes huge pages, if so many are left. */
    boolean takeHugePages(long number) {
        long before = freeHugePages.getAndUpdate(free -> free >= number ? free - number : free);
        return before >= number;
    }

    void giveHugePages(long number) {
        freeHugePages.addAndGet(number);
    }

    int dmaEntryLimit() {
        return dmaEntryLimit;
    }

    private PciFunction function(PciAddress address) {
        PciFunction function = functions.get(address);
        if (function == null) {
            throw new IllegalArgumentException("this machine has no function " + address);
        }
        return function;
    }

    /** Names it and lists its devices. */
    @Override
    public String toString() {
        kernel.lock();
        try {
            StringBuilder text = new StringBuilder("simulated " + profile);
            for (PciFunction function : functions.values()) {
                PciIdentity identity = function.model.identity();
                text.append("%n  %s %04x:%04x driver %s group %s".formatted(
                        function.address,
                        identity.vendorId(),
                        identity.deviceId(),
                        function.driver().orElse("none"),
                        function.group == null ? "none" : function.group.number));
            }
            return text.toString();
        } finally {
            kernel.unlock();
        }
    }

    /** The description of a machine. */
    public static final class Builder {
        private static final int NO_GROUP = -1;

        private record Slot(PciAddress address, PciModel model, int group, String driver) {}

        private KernelProfile profile = KernelProfile.V7_2;
        private boolean interruptRemapping = true;
        private boolean unsafeInterruptsAllowed;
        private long memlockLimit = 8 << 20;
        private int hugePages;
        private int dmaEntryLimit = 65535;
        private boolean noIommuAllowed;
        private final List<Slot> slots = new ArrayList<>();
        private final Map<PciAddress, List<PciFunction.Virtual>> virtual = new HashMap<>();
        private final Map<Integer, SimIommu> iommus = new HashMap<>();
        private final Map<String, MediatedModel> mediated = new LinkedHashMap<>();
        private final List<MediatedParent> parents = new ArrayList<>();

        private Builder() {}

        /**
         * Chooses the line of kernels whose answers the machine gives.
         *
         * @param line the line
         * @return this
         */
        public Builder kernel(KernelProfile line) {
            profile = Objects.requireNonNull(line);
            return this;
        }

        /**
         * Turns interrupt remapping on or off. Without it programs get no devices.
         *
         * @param on whether it is on
         * @return this
         */
        public Builder interruptRemapping(boolean on) {
            interruptRemapping = on;
            return this;
        }

        /**
         * Waives interrupt remapping ({@code allow_unsafe_interrupts} of vfio_iommu_type1 and of iommufd).
         *
         * @param allowed whether it is waived
         * @return this
         */
        public Builder allowUnsafeInterrupts(boolean allowed) {
            unsafeInterruptsAllowed = allowed;
            return this;
        }

        /**
         * Sets how much memory an unprivileged process may pin (RLIMIT_MEMLOCK); 8 MiB at first.
         *
         * @param bytes the limit
         * @return this
         */
        public Builder memlockLimit(long bytes) {
            memlockLimit = bytes;
            return this;
        }

        /**
         * Reserves huge pages of 2 MiB for programs ({@code vm.nr_hugepages}); otherwise there are none.
         *
         * @param number how many
         * @return this
         */
        public Builder hugePages(int number) {
            hugePages = number;
            return this;
        }

        /**
         * Sets how many mappings a container may hold ({@code vfio_iommu_type1.dma_entry_limit}); 65535 at first.
         *
         * @param mappings the limit
         * @return this
         */
        public Builder dmaEntryLimit(int mappings) {
            dmaEntryLimit = mappings;
            return this;
        }

        /**
         * Adds a function that is bound to vfio-pci, alone in a group of its own: the lowest number that is free.
         *
         * @param address where it is
         * @param model what plays it; a model plays one function
         * @return this
         */
        public Builder device(PciAddress address, PciModel model) {
            Set<Integer> taken = new HashSet<>();
            slots.forEach(slot -> taken.add(slot.group()));
            int group = 0;
            while (taken.contains(group)) {
                group++;
            }
            return device(address, model, group, VFIO_PCI);
        }

        /**
         * Adds a function.
         *
         * @param address where it is
         * @param model what plays it; a model plays one function
         * @param group the number of its IOMMU group, which others may share
         * @param driver what it is bound to: {@link #VFIO_PCI}, the name of a host driver, or "" for nothing
         * @return this
         */
        public Builder device(PciAddress address, PciModel model, int group, String driver) {
            if (group < 0) {
                throw new IllegalArgumentException("a group number is not negative: " + group);
            }
            return add(new Slot(address, model, group, driver));
        }

        /**
         * Adds a function that is behind no IOMMU, and has no group before it is bound to vfio-pci.
         *
         * @param address where it is
         * @param model what plays it; a model plays one function
         * @param driver what it is bound to: {@link #VFIO_PCI} if {@link #allowNoIommu} comes before, the name of a host
         *     driver, or "" for nothing
         * @return this
         */
        public Builder deviceWithoutIommu(PciAddress address, PciModel model, String driver) {
            if (driver.equals(VFIO_PCI) && !noIommuAllowed) {
                throw new IllegalArgumentException("vfio-pci takes no function without an IOMMU unless that is allowed");
            }
            return add(new Slot(address, model, NO_GROUP, driver));
        }

        /**
         * Lets a function have one more virtual function (SR-IOV). It is there, in a group of its own, while root wants so
         * many ({@code sriov_numvfs}), which works while the physical one is bound to vfio-pci and vfio-pci's
         * {@code enable_sriov} is Y. Host drivers make none here.
         *
         * @param physical the function, which was added before
         * @param address where the virtual one will be
         * @param model what plays it; a model plays one function
         * @return this
         */
        public Builder virtualFunction(PciAddress physical, PciAddress address, PciModel model) {
            if (slots.stream().noneMatch(slot -> slot.address().equals(physical))) {
                throw new IllegalArgumentException("there is no function at " + physical);
            }
            checkFree(address, model);
            virtual.computeIfAbsent(physical, _ -> new ArrayList<>()).add(new PciFunction.Virtual(address, model));
            return this;
        }

        private Builder add(Slot slot) {
            checkFree(slot.address(), slot.model());
            slots.add(slot);
            return this;
        }

        private void checkFree(PciAddress address, PciModel model) {
            boolean taken = slots.stream().anyMatch(slot -> slot.address().equals(address) || slot.model() == model)
                    || virtual.values().stream()
                            .flatMap(List::stream)
                            .anyMatch(one -> one.address().equals(address) || one.model() == model);
            if (taken) {
                throw new IllegalArgumentException("there is a function at " + address + " already, or of this model");
            }
        }

        /**
         * Adds a mediated device, in a group of its own whose number comes after those of the PCI functions.
         *
         * @param uuid its name
         * @param model what plays it
         * @return this
         */
        public Builder mediatedDevice(UUID uuid, MediatedModel model) {
            mediated.put(uuid.toString(), model);
            return this;
        }

        /**
         * Adds a parent of mediated devices, of which root makes as many as there is room for.
         *
         * @param parent the parent
         * @return this
         */
        public Builder mediatedParent(MediatedParent parent) {
            if (parents.stream().anyMatch(other -> other.name().equals(parent.name()))) {
                throw new IllegalArgumentException("there is a parent " + parent.name() + " already");
            }
            parents.add(parent);
            return this;
        }

        /**
         * Puts a group behind an IOMMU of its own; otherwise it is behind {@link SimIommu#INTEL}.
         *
         * @param group the group's number
         * @param iommu the IOMMU
         * @return this
         */
        public Builder iommu(int group, SimIommu iommu) {
            iommus.put(group, iommu);
            return this;
        }

        /**
         * Lets programs have devices without an IOMMU ({@code vfio.enable_unsafe_noiommu_mode}).
         *
         * @param allowed whether they may
         * @return this
         */
        public Builder allowNoIommu(boolean allowed) {
            noIommuAllowed = allowed;
            return this;
        }

        /**
         * Builds the machine.
         *
         * @return a machine that runs
         */
        public SimMachine build() {
            return new SimMachine(this);
        }
    }
}
