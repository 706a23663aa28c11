package io.github.vfio4j.sim;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Locale;

/** Ports whose calls a {@link CallFilter} may fail. */
final class FilteredCalls {
    private FilteredCalls() {}

    static Syscalls of(Syscalls calls, CallFilter filter) {
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, method, arguments) -> {
                    if (method.getName().equals("giveBack")) { // no call of the program's: the garbage collector's
                        return call(calls, method, arguments);
                    }
                    int errno = filter.errno(name(method), request(method, arguments), descriptor(method, arguments));
                    if (errno == CallFilter.PASS) {
                        return call(calls, method, arguments);
                    }
                    if (method.getName().equals("close")) {
                        call(calls, method, arguments);
                    }
                    return method.getReturnType() == long.class ? (Object) (long) -errno : (Object) (-errno);
                });
    }

    static SysFs of(SysFs sysfs, CallFilter filter) {
        return (SysFs) Proxy.newProxyInstance(
                SysFs.class.getClassLoader(), new Class<?>[] {SysFs.class}, (_, method, arguments) -> {
                    int errno = filter.errno(method.getName().equals("write") ? "sysfs_write" : "sysfs", 0, -1);
                    if (errno != CallFilter.PASS) {
                        throw new SysFs.Failure(errno, (String) arguments[0]);
                    }
                    return call(sysfs, method, arguments);
                });
    }

    static Notes of(Notes notes, CallFilter filter) {
        return (Notes) Proxy.newProxyInstance(
                Notes.class.getClassLoader(), new Class<?>[] {Notes.class}, (_, method, arguments) -> {
                    boolean file = !method.getName().equals("program") && !method.getName().equals("isRunning");
                    int errno = file ? filter.errno("note", 0, -1) : CallFilter.PASS;
                    if (errno != CallFilter.PASS) {
                        throw new SysFs.Failure(errno, "notes");
                    }
                    return call(notes, method, arguments);
                });
    }

    private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** The system call's own name: epollWait is epoll_wait. */
    private static String name(Method method) {
        return method.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    private static int request(Method method, Object[] arguments) {
        return method.getName().equals("ioctl") ? (int) arguments[2] : 0;
    }

    /** The first number after the frame, unless it says something else. */
    private static int descriptor(Method method, Object[] arguments) {
        return switch (method.getName()) {
            case "memfdCreate", "eventfd", "epollCreate", "socketpair", "socket" -> -1;
            case "mmap" -> (int) arguments[4];
            default -> arguments.length > 1 && arguments[0] instanceof Frame && arguments[1] instanceof Integer fd ? fd : -1;
        };
    }
}
