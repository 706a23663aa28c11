package io.github.vfio4j.ffm;

import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.KernelProvider;

/** Gives the Linux that this process runs on; found by the ServiceLoader. */
public final class LinuxKernelProvider implements KernelProvider {
    // The groups that a process has open belong to the process, so there is one kernel object for all of it.
    private static Kernel linux;

    /** Makes a provider; the ServiceLoader does. */
    public LinuxKernelProvider() {}

    @Override
    public Kernel kernel() {
        synchronized (LinuxKernelProvider.class) {
            if (linux == null) {
                String name = System.getProperty("os.name") + " " + System.getProperty("os.version");
                linux = new FfmKernel(name, syscalls(), SysFs.linux(), Notes.linux(), Syscalls.linuxPageSize());
            }
            return linux;
        }
    }

    private static Syscalls syscalls() {
        try {
            return Syscalls.linux();
        } catch (ExceptionInInitializerError e) {
            if (e.getCause() instanceof IllegalCallerException denied) {
                Module self = LinuxKernelProvider.class.getModule();
                String module = self.isNamed() ? self.getName() : "ALL-UNNAMED";
                throw new IllegalStateException(
                        "vfio4j makes system calls: start java with --enable-native-access=" + module, denied);
            }
            throw e;
        }
    }
}
