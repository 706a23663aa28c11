package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Binder;
import io.github.vfio4j.Binding;
import io.github.vfio4j.Ccw;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceCapability;
import io.github.vfio4j.DirtyBitmap;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuf;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.DmaLogging;
import io.github.vfio4j.DmaSlice;
import io.github.vfio4j.Edid;
import io.github.vfio4j.Eeh;
import io.github.vfio4j.Errno;
import io.github.vfio4j.FaultQueue;
import io.github.vfio4j.Features;
import io.github.vfio4j.Graphics;
import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.Group;
import io.github.vfio4j.GuestPageTable;
import io.github.vfio4j.HardwareQueue;
import io.github.vfio4j.Hwpt;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.IoEventFd;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.IommuRegisters;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.Irq;
import io.github.vfio4j.MediatedDevice;
import io.github.vfio4j.MediatedDevices;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.NestedHwpt;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.Region;
import io.github.vfio4j.Rule;
import io.github.vfio4j.SpaprTceV1;
import io.github.vfio4j.SpaprTceV2;
import io.github.vfio4j.Type1;
import io.github.vfio4j.UnmaskEvent;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.Viommu;
import io.github.vfio4j.VirtualDevice;
import io.github.vfio4j.VirtualEvent;
import io.github.vfio4j.VirtualEventQueue;
import io.github.vfio4j.sim.LiveHandles.Handle;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;

/**
 * Every public method is called on handles that are closed. No call reaches the kernel. What does something is refused:
 * the handle is closed. What only answers may go on answering from what it knows.
 */
@Timeout(60)
class ClosedHandleTest {
    /** They change the machine and not the program, and no {@code Vfio} owns them. */
    private static final List<Class<?>> NOT_OWNED = List.of(Binder.class, Binding.class, MediatedDevices.class, MediatedDevice.class);

    /** What a handle breaks that has ended, otherwise than by a close of a file, too; and what it could never do. */
    private static final Set<Rule> OVER = Set.of(
            Rule.HANDLE_OPEN,
            Rule.SET_IRQS_ENABLED,
            Rule.SET_IRQS_ACTION,
            Rule.SET_IRQS_RANGE,
            Rule.DIRTY_ON,
            Rule.UNMAP_DIRTY_ON,
            Rule.INFO_NEEDS_IOMMU,
            Rule.MAP_NEEDS_IOMMU,
            Rule.UNMAP_NEEDS_IOMMU,
            Rule.DIRTY_NEEDS_IOMMU,
            Rule.DEVICE_NEEDS_CONTAINER);

    /** Documented to do nothing when it is done already. */
    private static final Set<String> REPEATED = Set.of("ExternalUser.release()", "Waiter.remove(Interrupt)");

    /** What ends with what it was made of. */
    private static final Map<Class<?>, Set<Class<?>>> ENDS_WITH = Map.of(
            Device.class,
                    Set.of(Region.class, Mmio.class, IoEventFd.class, PciConfig.class, Features.class, Graphics.class, Edid.class, DmaBuf.class, Ccw.class, Irq.class,
                            Interrupts.class, Interrupt.class),
            Interrupts.class, Set.of(Interrupt.class, UnmaskEvent.class),
            Container.class, Set.of(Device.class, Type1.class, SpaprTceV1.class, SpaprTceV2.class, Eeh.class, Region.class, Interrupts.class),
            Group.class, Set.of(Device.class, Type1.class, SpaprTceV1.class, SpaprTceV2.class, Eeh.class, Region.class, Interrupts.class),
            Iommufd.class,
                    Set.of(Device.class, Ioas.class, Hwpt.class, DirtyTracking.class, FaultQueue.class, Viommu.class, NestedHwpt.class,
                            VirtualDevice.class, VirtualEventQueue.class, HardwareQueue.class),
            Ioas.class,
                    Set.of(Hwpt.class, DirtyTracking.class, Viommu.class, NestedHwpt.class, VirtualEventQueue.class, HardwareQueue.class),
            Hwpt.class,
                    Set.of(DirtyTracking.class, Viommu.class, NestedHwpt.class, VirtualEventQueue.class, HardwareQueue.class),
            Viommu.class, Set.of(NestedHwpt.class, VirtualDevice.class, VirtualEventQueue.class, HardwareQueue.class),
            FaultQueue.class, Set.of(NestedHwpt.class),
            DmaBuffer.class, Set.of(DmaSlice.class));

    private final List<LiveHandles> opened = new ArrayList<>();

    private LiveHandles open() {
        LiveHandles live = new LiveHandles();
        opened.add(live);
        return live;
    }

    @AfterEach
    void end() {
        opened.forEach(LiveHandles::close);
    }

    /** Types whose objects have no state in common with a kernel, or no object on a simulated one. */
    private static boolean needsNoHandle(Class<?> type) {
        return type.isRecord() && type != Mmio.class
                || type.isEnum()
                || Throwable.class.isAssignableFrom(type)
                || type.isInterface() && !type.isSealed() // programs implement it
                || type == DeviceCapability.class // records
                || type == GraphicsPlane.Storage.class // records
                || type == GuestPageTable.class // records
                || type == IommuRegisters.class // records
                || type == VirtualEvent.class // records
                || type == DirtyBitmap.class // a snapshot
                || type == DmaLogging.class; // no simulated device logs its DMA; FeaturesTest of vfio-api closes one
    }

    @Test
    void noKindOfHandleIsForgotten() {
        List<Handle> handles = handles();
        assertThat(PublicApi.types().stream().filter(type -> !needsNoHandle(type)))
                .hasSizeGreaterThan(30)
                .allSatisfy(type -> assertThat(handles).anyMatch(handle -> type.isInstance(handle.object())));
    }

    @TestFactory
    Stream<DynamicNode> aClosedHandleDoesNothing() {
        List<Handle> all = handles();
        return IntStream.range(0, all.size())
                .filter(i -> all.get(i).object() instanceof AutoCloseable)
                .mapToObj(i -> DynamicContainer.dynamicContainer(all.get(i).toString(), Stream.of(i).flatMap(_ -> {
                    LiveHandles live = open();
                    Handle closed = live.handles().get(i);
                    close(closed);
                    Set<Class<?>> ended = ENDS_WITH.getOrDefault(closed.object().getClass(), Set.of());
                    return live.handles().stream()
                            .filter(handle -> handle == closed
                                    || handle.way().equals(closed.way())
                                            && ended.stream().anyMatch(type -> type.isInstance(handle.object())))
                            .flatMap(handle -> methods(handle).map(method -> test(live, handle, method)));
                })));
    }

    @TestFactory
    Stream<DynamicNode> nothingOfAClosedVfioDoesAnything() {
        LiveHandles live = open();
        live.the(Vfio.class, "").close();
        return live.handles().stream()
                .filter(handle -> !NOT_OWNED.contains(handle.object().getClass()))
                .map(handle -> DynamicContainer.dynamicContainer(
                        handle.toString(), methods(handle).map(method -> test(live, handle, method))));
    }

    private static List<Handle> handles() {
        try (LiveHandles live = new LiveHandles()) {
            return List.copyOf(live.handles());
        }
    }

    private static void close(Handle handle) {
        try {
            ((AutoCloseable) handle.object()).close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static Stream<Method> methods(Handle handle) {
        return PublicApi.members().stream()
                .filter(member -> !(member instanceof Constructor) && !Modifier.isStatic(member.getModifiers()))
                .filter(member -> member.getDeclaringClass().isInstance(handle.object()))
                .map(Method.class::cast);
    }

    private static DynamicTest test(LiveHandles live, Handle handle, Method method) {
        String name = PublicApi.name(method) + " of a closed " + handle;
        return DynamicTest.dynamicTest(name, () -> {
            Type[] types = method.getGenericParameterTypes();
            Object[] arguments = Arrays.stream(types)
                    .map(type -> live.argument(type, handle.way())
                            .orElseThrow(() -> new AssertionError("nobody has a " + type + " in LiveHandles")))
                    .toArray();
            List<String> before = live.held();
            live.newCalls();
            try {
                Object answer = PublicApi.call((Executable) method, handle.object(), arguments);
                assertThat(mayAnswer(live, method, answer)).as("%s answers %s", name, answer).isTrue();
            } catch (Throwable refusal) {
                if (!saysSo(refusal)) {
                    throw new AssertionError(name, refusal);
                }
            }
            assertThat(live.newCalls()).as("system calls of %s", name).isEmpty();
            assertThat(live.held()).as(name).isEqualTo(before);
        });
    }

    private static boolean saysSo(Throwable refusal) {
        return switch (refusal) {
            case VfioException e -> e.errno().equals(Errno.EBADF)
                    || e.rule().filter(OVER::contains).isPresent()
                    || e.operation() == Operation.SYSFS_READ; // a question about the machine needs no handle
            case IllegalStateException e -> e.getMessage().matches("(?s).*(is closed|Already closed|is attached to no).*");
            case UnsupportedOperationException _ -> true; // it could not when it was open
            case IllegalArgumentException e -> e.getMessage().contains("any more"); // the argument has ended with it
            case IndexOutOfBoundsException e -> e.getMessage().contains("was not enabled"); // nor was it before
            default -> false;
        };
    }

    /**
     * Closing or removing again is no mistake, and neither is a question that needs no kernel, of a handle that is there
     * already, too; making something is.
     */
    private static boolean mayAnswer(LiveHandles live, Method method, Object answer) {
        return REPEATED.contains(PublicApi.name(method))
                || method.getName().equals("close")
                || method.getReturnType() != void.class
                        && (!(answer instanceof AutoCloseable)
                                || live.handles().stream().anyMatch(handle -> handle.object() == answer));
    }
}
