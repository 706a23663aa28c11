package io.github.vfio4j.sim.differential;

import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.sim.BridgeModel;
import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.SimPorts;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Runs sequences on a simulated kernel alone, on a machine like that of the VM. */
final class SimulatedCalls {
    private static final Map<String, String> GROUPS = Map.of(
            "$edu", "1", "$testdev", "2", "$shared", "3", "$card", "6", "$mtty", "7", "$second_mtty", "8", "$mdpy", "9", "$mbochs", "10");

    private final SimMachine machine;
    private final Side side;
    private final List<String> ownMemory;

    SimulatedCalls(KernelProfile kernel) {
        SimMachine.Builder builder = SimMachine.builder().kernel(kernel);
        builder.device(PciAddress.parse(TwinMachine.EDU), new Plain(false), 1, SimMachine.VFIO_PCI);
        builder.device(PciAddress.parse(TwinMachine.TESTDEV), new Plain(true), 2, SimMachine.VFIO_PCI);
        for (String member : TwinMachine.SHARED) {
            builder.device(PciAddress.parse(member), new Plain(false), 3, TwinMachine.firstDriver(member));
        }
        builder.device(PciAddress.parse(TwinMachine.CARD), new Card(), 6, SimMachine.VFIO_PCI);
        builder.device(PciAddress.parse(TwinMachine.BRIDGE), new BridgeModel(), 3, "");
        builder.deviceWithoutIommu(PciAddress.parse(TwinMachine.UNSAFE), new Plain(false), "");
        TwinMachine.addMediated(builder);
        machine = builder.build();
        TwinMachine.giveLastToVfio(machine);
        side = program(machine);
        side.connect(program(machine));
        side.administrator = Administrator.simulated(machine, TwinMachine.everyFunction());
        ownMemory = machine.leaks();
    }

    /** What is open or pinned between two sequences. */
    List<String> leaks() {
        List<String> leaks = new ArrayList<>(machine.leaks());
        leaks.removeAll(ownMemory);
        return leaks;
    }

    private static Side program(SimMachine machine) {
        return Side.simulated(
                machine.profile().toString(),
                SimPorts.syscalls(machine.startProcess()),
                path -> TwinMachine.replaced(path, GROUPS, SimPorts.sysfs(machine)));
    }

    /** Runs the steps and closes all; what the last one answered. */
    long lastAnswer(List<Step> steps) {
        long last = 0;
        try {
            for (Step step : steps) {
                last = side.run(step).result();
            }
            return last;
        } finally {
            side.end();
        }
    }

    /** Runs a source to its end and closes all; everything that was answered. */
    List<Outcome> answers(Lockstep.Source source) {
        List<Outcome> answers = new ArrayList<>();
        try {
            for (Optional<Step> next = source.next(); next.isPresent(); next = source.next()) {
                if (!side.overwrites(next.get())) {
                    Outcome outcome = side.run(next.get());
                    answers.add(outcome);
                    source.answered(next.get(), outcome);
                }
            }
            return answers;
        } finally {
            side.end();
        }
    }

    /** A network card that does nothing. */
    record Card() implements PciModel {
        @Override
        public PciIdentity identity() {
            return new PciIdentity(0x8086, 0x10d3, 0x020000);
        }

        @Override
        public List<PciBar> bars() {
            return List.of(new PciBar(0, 1 << 17, true));
        }

        @Override
        public int interruptPin() {
            return 1;
        }

        @Override
        public int msiVectors() {
            return 1;
        }

        @Override
        public int vectors() {
            return 5;
        }

        @Override
        public boolean express() {
            return true;
        }
    }

    /** A device that does nothing: one BAR, a line, one vector of MSI. */
    private record Plain(boolean resettable) implements PciModel {
        @Override
        public PciIdentity identity() {
            return new PciIdentity(0x1234, 0x11e8, 0x00ff00);
        }

        @Override
        public List<PciBar> bars() {
            return List.of(new PciBar(0, 1 << 20, true));
        }

        @Override
        public int interruptPin() {
            return 1;
        }

        @Override
        public int msiVectors() {
            return 1;
        }
    }
}
