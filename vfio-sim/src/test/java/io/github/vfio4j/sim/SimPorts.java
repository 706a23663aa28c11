package io.github.vfio4j.sim;

import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;

/** The ports of simulated machines, for tests in other packages. */
@SuppressWarnings("exports") // tests of this module see the ports
public final class SimPorts {
    private SimPorts() {}

    /** Returns the system calls of a process. */
    public static Syscalls syscalls(SimProcess process) {
        return process.syscalls();
    }

    /** Returns a machine's notes, as a process sees them. */
    public static Notes notes(SimProcess process) {
        return process.notes();
    }

    /** Returns the sysfs tree of a machine. */
    public static SysFs sysfs(SimMachine machine) {
        return machine.sysfs();
    }

    /** Does somebody who unbinds a function wait until nobody has it open any more? */
    public static boolean isWaitedFor(SimMachine machine, String address) {
        machine.kernel().lock();
        try {
            return machine.functions().stream()
                    .filter(function -> function.address.toString().equals(address))
                    .flatMap(function -> function.vfio().stream())
                    .anyMatch(device -> device.leaving && device.references > 0);
        } finally {
            machine.kernel().unlock();
        }
    }
}
