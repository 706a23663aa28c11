package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import java.util.List;
import java.util.Map;

/** The notes of a machine as one process of it sees them. */
final class SimNotes implements Notes {
    private final SimMachine machine;
    private final SimProcess process;
    private final Map<String, String> texts; // of the machine; guarded by the kernel's lock

    SimNotes(SimMachine machine, SimProcess process, Map<String, String> texts) {
        this.machine = machine;
        this.process = process;
        this.texts = texts;
    }

    @Override
    public List<String> names() {
        machine.kernel().lock();
        try {
            return List.copyOf(texts.keySet());
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    public String read(String name) throws SysFs.Failure {
        machine.kernel().lock();
        try {
            String text = texts.get(name);
            if (text == null) {
                throw new SysFs.Failure(Errno.ENOENT.number(), name);
            }
            return text;
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    public void write(String name, String text) throws SysFs.Failure {
        machine.kernel().lock();
        try {
            checkPrivileged(name);
            texts.put(name, text);
        } finally {
            machine.kernel().unlock();
        }
    }

    @Override
    public void remove(String name) throws SysFs.Failure {
        machine.kernel().lock();
        try {
            checkPrivileged(name);
            texts.remove(name);
        } finally {
            machine.kernel().unlock();
        }
    }

    private void checkPrivileged(String name) throws SysFs.Failure {
        if (!process.privileged()) {
            throw new SysFs.Failure(Errno.EACCES.number(), name);
        }
    }

    @Override
    public String program() {
        return process.name();
    }

    @Override
    public boolean isRunning(String program) {
        return machine.isRunning(program);
    }
}
