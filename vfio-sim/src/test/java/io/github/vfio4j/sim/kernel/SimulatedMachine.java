package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.Contract;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.sim.BridgeModel;
import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import io.github.vfio4j.sim.Samples;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.SimPorts;
import io.github.vfio4j.sim.SimProcess;
import io.github.vfio4j.sim.nvme.NvmeModel;
import io.github.vfio4j.spi.Kernel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/** A simulated machine with the devices that the tests need. */
final class SimulatedMachine implements MachineUnderTest {
    private static final PciAddress NVME = PciAddress.parse("0000:00:05.0");
    private static final PciAddress LONER = PciAddress.parse("0000:00:04.0");
    private static final List<PciAddress> SIBLINGS =
            List.of(PciAddress.parse("0000:01:01.0"), PciAddress.parse("0000:01:02.0"));
    private static final PciAddress THIRD = PciAddress.parse("0000:01:03.0");
    private static final PciAddress BARE = PciAddress.parse("0000:41:00.0");
    private static final PciAddress BRIDGE = PciAddress.parse("0000:00:09.0");
    private static final PciAddress PHYSICAL = PciAddress.parse("0000:02:00.0");
    private static final int SHARED_GROUP = 9;
    private static final int HUGE_PAGES = 4;

    private final SimMachine machine;
    private int addresses;
    private final SimProcess process;
    private final Recorder recorder;
    private final Kernel kernel;
    private final Deque<Runnable> atEnd = new ArrayDeque<>(); // the newest first

    SimulatedMachine() {
        this(true);
    }

    SimulatedMachine(boolean remapsInterrupts) {
        machine = SimMachine.builder()
                .interruptRemapping(remapsInterrupts)
                .device(LONER, new EduModel(), 4, SimMachine.VFIO_PCI)
                .device(NVME, new NvmeModel(1 << 20, 512), 5, SimMachine.VFIO_PCI)
                .device(SIBLINGS.getFirst(), new Registers(), SHARED_GROUP, SimMachine.VFIO_PCI)
                .device(SIBLINGS.getLast(), new EduModel(), SHARED_GROUP, SimMachine.VFIO_PCI)
                .device(THIRD, new Registers(), SHARED_GROUP, SimMachine.VFIO_PCI)
                .deviceWithoutIommu(BARE, new EduModel(), "")
                .mediatedParent(Samples.MBOCHS)
                .mediatedParent(Samples.MDPY)
                .mediatedParent(Samples.MTTY)
                .allowNoIommu(true)
                .hugePages(HUGE_PAGES)
                .device(BRIDGE, new BridgeModel(), SHARED_GROUP, "")
                .device(PHYSICAL, new Registers(), 10, SimMachine.VFIO_PCI)
                .virtualFunction(PHYSICAL, PciAddress.parse("0000:02:00.1"), new Registers())
                .virtualFunction(PHYSICAL, PciAddress.parse("0000:02:00.2"), new Registers())
                .build();
        process = machine.startProcess();
        recorder = new Recorder(SimPorts.syscalls(process));
        kernel = new FfmKernel("simulated", recorder, SimPorts.sysfs(machine), SimPorts.notes(process));
    }

    @Override
    public int reserveHugePages() {
        return HUGE_PAGES;
    }

    @Override
    public boolean hasIommufd() {
        return true;
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
        return SimPorts.sysfs(machine);
    }

    @Override
    public String socketAddress() {
        return "/tmp/socket-" + ++addresses;
    }

    @Override
    public Peer startPeer() {
        SimProcess other = machine.startProcess();
        return new PipedPeer(
                (in, out) -> HandoverPeer.serve(other.open(Contract.KERNEL), SimPorts.syscalls(other), in, out),
                other::kill);
    }

    @Override
    public List<String> changes() {
        return recorder.changes();
    }

    @Override
    public long calls() {
        return recorder.calls();
    }

    @Override
    public PciAddress nvme() {
        return NVME;
    }

    @Override
    public PciAddress loner() {
        return LONER;
    }

    @Override
    public List<PciAddress> siblings() {
        return SIBLINGS;
    }

    @Override
    public void atEnd(Runnable work) {
        atEnd.push(work);
    }

    @Override
    public Optional<PciAddress> deviceWithoutIommu() {
        machine.bind(BARE, SimMachine.VFIO_PCI);
        return Optional.of(BARE);
    }

    @Override
    public PciAddress physicalFunction() {
        try {
            sysfs().write("/sys/module/vfio_pci/parameters/enable_sriov", "Y");
        } catch (SysFs.Failure e) {
            throw new IllegalStateException(e);
        }
        return PHYSICAL;
    }

    @Override
    public Optional<PciAddress> physicalCard() {
        return Optional.empty(); // it would be of the same kind
    }

    @Override
    public Path aliasOf(String node) {
        machine.addAlias("/tmp/alias", "/dev/vfio/" + node);
        return Path.of("/tmp/alias");
    }

    @Override
    public AutoCloseable otherProcessHolds(int group) {
        SimProcess other = machine.startProcess();
        other.open().openGroup(group);
        return other::kill;
    }

    @Override
    public HostDriver hostDriverTakesAMember() {
        machine.unbind(THIRD);
        machine.bind(THIRD, "e1000");
        return new HostDriver() {
            @Override
            public PciAddress member() {
                return THIRD;
            }

            @Override
            public String driver() {
                return "e1000";
            }

            @Override
            public void close() {
                machine.unbind(THIRD);
                machine.bind(THIRD, SimMachine.VFIO_PCI);
            }
        };
    }

    @Override
    public void unbind(PciAddress address) {
        machine.unbind(address);
    }

    @Override
    public void bindToVfio(PciAddress address) {
        machine.bind(address, SimMachine.VFIO_PCI);
    }

    @Override
    public boolean reportError(PciAddress address) {
        machine.reportError(address);
        return true;
    }

    @Override
    public List<String> filesAndMappings() {
        return process.leaks();
    }

    @Override
    public void close() {
        while (!atEnd.isEmpty()) {
            atEnd.pop().run();
        }
        process.kill();
    }

    /** A device with plain registers. */
    private static final class Registers implements PciModel {
        @Override
        public PciIdentity identity() {
            return new PciIdentity(0x1234, 0x11e8, 0x00ff00);
        }

        @Override
        public List<PciBar> bars() {
            return List.of(new PciBar(0, 1 << 20, true));
        }
    }
}
