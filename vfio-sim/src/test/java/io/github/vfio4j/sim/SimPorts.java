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
}
