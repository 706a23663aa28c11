package io.github.vfio4j.sim;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.github.vfio4j.ffm.gen.vfio_device_info;
import io.github.vfio4j.ffm.gen.vfio_h;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * System calls of a simulated process which answer, besides, what kernels of other machines alone know: as little as it
 * takes for handles to be there. That the bytes are right, tests of vfio-ffm show.
 */
final class OtherMachines {
    private OtherMachines() {}

    static Syscalls of(Syscalls calls) {
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(),
                new Class<?>[] {Syscalls.class},
                (_, method, arguments) -> answer(calls, method, arguments));
    }

    private static Object answer(Syscalls calls, Method method, Object[] arguments) throws Throwable {
        Object result = call(calls, method, arguments);
        if (method.getName().equals("ioctl") && result.equals(0) && arguments[3] instanceof MemorySegment argument) {
            answered((int) arguments[2], argument);
        }
        return result;
    }

    private static void answered(int request, MemorySegment argument) {
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
