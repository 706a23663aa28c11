package io.github.vfio4j.sim;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.github.vfio4j.ffm.gen.vfio_device_info;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.ffm.gen.vfio_iommu_spapr_tce_ddw_info;
import io.github.vfio4j.ffm.gen.vfio_iommu_spapr_tce_info;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * System calls of a simulated process which answer, besides, what kernels of other machines alone know: as little as it
 * takes for handles to be there. That the bytes are right, tests of vfio-ffm show.
 */
final class OtherMachines {
    private static final Set<Long> POWER_EXTENSIONS =
            Set.of((long) vfio_h.VFIO_SPAPR_TCE_IOMMU(), (long) vfio_h.VFIO_SPAPR_TCE_v2_IOMMU(), (long) vfio_h.VFIO_EEH());

    /** What a container takes as a struct besides mapping and unmapping. */
    private static final Set<Integer> POWER_ALONE = Set.of(
            vfio_h.VFIO_IOMMU_SPAPR_TCE_GET_INFO(),
            vfio_h.VFIO_IOMMU_SPAPR_REGISTER_MEMORY(),
            vfio_h.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY(),
            vfio_h.VFIO_IOMMU_SPAPR_TCE_CREATE(),
            vfio_h.VFIO_IOMMU_SPAPR_TCE_REMOVE(),
            vfio_h.VFIO_EEH_PE_OP());

    private OtherMachines() {}

    static Syscalls of(Syscalls calls) {
        Set<Integer> power = ConcurrentHashMap.newKeySet(); // containers with PowerPC's IOMMU; none is closed for another
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(),
                new Class<?>[] {Syscalls.class},
                (_, method, arguments) -> answer(calls, power, method, arguments));
    }

    private static Object answer(Syscalls calls, Set<Integer> power, Method method, Object[] arguments) throws Throwable {
        if (!method.getName().equals("ioctl")) {
            return call(calls, method, arguments);
        }
        int fd = (int) arguments[1];
        int request = (int) arguments[2];
        if (arguments[3] instanceof MemorySegment argument) {
            if (power.contains(fd) && POWER_ALONE.contains(request)) {
                onPower(request, argument);
                return 0;
            }
            Object result = call(calls, method, arguments);
            if (result.equals(0)) {
                onS390(request, argument);
            }
            return result;
        }
        long value = (long) arguments[3];
        if (request == vfio_h.VFIO_CHECK_EXTENSION() && POWER_EXTENSIONS.contains(value)) {
            return 1;
        }
        if (request == vfio_h.VFIO_SET_IOMMU() && POWER_EXTENSIONS.contains(value)) {
            power.add(fd);
            return call(calls, method, new Object[] {arguments[0], fd, request, (long) vfio_h.VFIO_TYPE1v2_IOMMU()});
        }
        boolean enables = request == vfio_h.VFIO_IOMMU_ENABLE() || request == vfio_h.VFIO_IOMMU_DISABLE();
        return power.contains(fd) && enables ? 0 : call(calls, method, arguments);
    }

    /** The default window is the lower half of 32 bits, and others have pages of 4 or 64 KiB. */
    private static void onPower(int request, MemorySegment argument) {
        if (request == vfio_h.VFIO_IOMMU_SPAPR_TCE_GET_INFO()) {
            vfio_iommu_spapr_tce_info.flags(argument, vfio_h.VFIO_IOMMU_SPAPR_INFO_DDW());
            vfio_iommu_spapr_tce_info.dma32_window_size(argument, 1 << 31);
            vfio_iommu_spapr_tce_ddw_info.pgsizes(vfio_iommu_spapr_tce_info.ddw(argument), 0x1_1000);
            vfio_iommu_spapr_tce_ddw_info.levels(vfio_iommu_spapr_tce_info.ddw(argument), 1);
        }
    }

    private static void onS390(int request, MemorySegment argument) {
        if (request == vfio_h.VFIO_DEVICE_GET_INFO()
                && vfio_device_info.num_regions(argument) == ChannelModel.REGIONS) {
            argument.set(
                    JAVA_INT,
                    vfio_device_info.flags$offset(),
                    vfio_h.VFIO_DEVICE_FLAGS_CCW() | vfio_h.VFIO_DEVICE_FLAGS_RESET());
        }
    }

    private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
