package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.SpaprInfo;
import io.github.vfio4j.SpaprTce;
import io.github.vfio4j.SpaprTceV1;
import io.github.vfio4j.SpaprTceV2;
import io.github.vfio4j.SpaprVersion;
import io.github.vfio4j.SpaprWindow;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.vfio_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * PowerPC's IOMMU on answers made as linux/vfio.h describes them, on a machine with pages of 64 KiB. The answers are those
 * of drivers/vfio/vfio_iommu_spapr_tce.c.
 */
class SpaprTest {
    private static final int GET_INFO = 0x3b70;
    private static final int MAP_DMA = 0x3b71;
    private static final int UNMAP_DMA = 0x3b72;
    private static final int REGISTER = 0x3b75;
    private static final int UNREGISTER = 0x3b76;
    private static final int CREATE = 0x3b77;
    private static final int REMOVE = 0x3b78;
    private static final int DEVICE_INFO = 0x3b6b;
    private static final String ENABLE_CALL = "3b73 0";
    private static final String DISABLE_CALL = "3b74 0";

    private static final long PAGE = 0x1_0000;
    private static final long SIXTEEN_MIB = 1 << 24;
    private static final long HIGH = 1L << 59;
    private static final IovaRange DMA32 = new IovaRange(0, 0x7fff_ffffL);

    private final MadeKernel kernel = new MadeKernel();
    private final Vfio vfio = kernel.vfio(PAGE);
    private final Container container = vfio.openContainer();
    private final Group group = vfio.openGroup(3);
    private int[] ints = {};
    private long[] longs = {};

    @BeforeEach
    void answer() {
        kernel.extensions.addAll(List.of(2L, 7L));
        kernel.answer(GET_INFO, info -> {
            header(info, 32);
            info.set(JAVA_INT, 4, 1); // VFIO_IOMMU_SPAPR_INFO_DDW
            info.set(JAVA_INT, 12, (int) 0x8000_0000L); // from 0 on
            info.set(JAVA_LONG, 16, 0x1001_1000L); // 4 KiB, 64 KiB and 256 MiB
            info.set(JAVA_INT, 24, 2);
            info.set(JAVA_INT, 28, 5);
            return 0;
        });
        for (int request : new int[] {MAP_DMA, UNMAP_DMA, REGISTER, UNREGISTER, REMOVE}) {
            kernel.answer(request, this::seen);
        }
        kernel.answer(CREATE, window -> {
            header(window, 40);
            seen(window);
            window.set(JAVA_LONG, 32, HIGH);
            return 0;
        });
        container.attach(group);
    }

    private static void header(MemorySegment argument, int argsz) {
        assertThat(argument.get(JAVA_INT, 0)).as("argsz").isEqualTo(argsz);
        assertThat(argument.get(JAVA_INT, 4)).as("flags").isZero();
    }

    private int seen(MemorySegment argument) {
        MemorySegment struct = argument.asSlice(0, argument.get(JAVA_INT, 0));
        ints = struct.toArray(JAVA_INT);
        longs = struct.toArray(JAVA_LONG);
        return 0;
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    private SpaprTceV1 v1() {
        SpaprTceV1 iommu = container.setSpaprTceV1();
        assertThat(kernel.newCalls()).endsWith("3b66 2");
        return iommu;
    }

    private SpaprTceV2 v2() {
        SpaprTceV2 iommu = container.setSpaprTceV2();
        assertThat(kernel.newCalls()).endsWith("3b66 7");
        return iommu;
    }

    // ---- both

    @Test
    void theNumbersAreThoseOfTheHeader() {
        assertThat(SpaprVersion.V1.number()).isEqualTo(vfio_h.VFIO_SPAPR_TCE_IOMMU());
        assertThat(SpaprVersion.V2.number()).isEqualTo(vfio_h.VFIO_SPAPR_TCE_v2_IOMMU());
    }

    @Test
    void aMachineWithoutItIsToldBeforeTheCall() {
        kernel.extensions.remove(7L);
        assertThat(container.supports(SpaprVersion.V1)).isTrue();
        assertThat(container.supports(SpaprVersion.V2)).isFalse();
        kernel.newCalls();
        RuleViolation e = catchThrowableOfType(RuleViolation.class, container::setSpaprTceV2);
        assertThat(e.rule()).contains(Rule.SET_IOMMU_TYPE);
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void theInfoHasItsFieldsWhereTheHeaderSaysSo() {
        SpaprTceV2 iommu = v2();
        assertThat(iommu.info())
                .isEqualTo(new SpaprInfo(
                        Optional.of(DMA32), Optional.of(new SpaprInfo.DynamicWindows(0x1001_1000L, 2, 5))));
        assertThat(kernel.newCalls()).containsExactly("3b70");
        kernel.answer(GET_INFO, info -> {
            info.set(JAVA_INT, 8, (int) 0x8000_0000L);
            info.set(JAVA_INT, 12, (int) 0x8000_0000L);
            return 0;
        });
        assertThat(iommu.info())
                .isEqualTo(new SpaprInfo(Optional.of(new IovaRange(0x8000_0000L, 0xffff_ffffL)), Optional.empty()));
        kernel.answer(GET_INFO, _ -> 0);
        assertThat(iommu.info()).isEqualTo(new SpaprInfo(Optional.empty(), Optional.empty()));
    }

    @Test
    void aDeviceReachesWhatIsMappedThere() {
        kernel.answer(DEVICE_INFO, info -> {
            info.set(JAVA_INT, 4, 2); // PCI, with nothing to watch
            return 0;
        });
        SpaprTce iommu = v2();
        try (Device device = iommu.openDevice(group, PciAddress.parse("0001:00:02.0"))) {
            assertThat(device.iommu()).isSameAs(iommu);
        }
        assertThat(iommu.version()).isEqualTo(SpaprVersion.V2);
    }

    @Test
    void itEndsWithItsLastGroup() {
        SpaprTceV2 iommu = v2();
        DmaBuffer buffer = iommu.allocate(PAGE, Access.READ);
        kernel.newCalls();
        container.detach(group);
        assertThat(kernel.newCalls()).as("the kernel takes all of it back").noneMatch(call -> call.matches("3b7[256]"));
        assertThat(buffer.segment().scope().isAlive()).isFalse();
        RuleViolation e = catchThrowableOfType(RuleViolation.class, iommu::info);
        assertThat(e.rule()).contains(Rule.INFO_NEEDS_IOMMU);
        container.attach(group);
        assertThat(container.setSpaprTceV1().version()).isEqualTo(SpaprVersion.V1);
    }

    // ---- the first version

    @Test
    void theFirstVersionMapsOnceItIsEnabled() {
        SpaprTceV1 iommu = v1();
        assertThatIllegalStateException().isThrownBy(() -> iommu.allocate(PAGE, Access.READ)).withMessageContaining("enable()");
        assertThat(kernel.newCalls()).doesNotContain("3b71");
        iommu.enable();
        assertThat(kernel.newCalls()).containsExactly(ENABLE_CALL);
        assertThatIllegalStateException().isThrownBy(iommu::enable);
        DmaBuffer buffer = iommu.allocate(1, Access.READ_WRITE);
        assertThat(kernel.newCalls()).endsWith("3b71").doesNotContain("3b75");
        assertThat(ints).startsWith(32, 3); // argsz; READ, WRITE
        assertThat(longs).endsWith(buffer.segment().address(), buffer.iova(), PAGE);
        assertThatIllegalStateException().isThrownBy(iommu::disable).withMessageContaining("mapped");
        buffer.close();
        assertThat(kernel.newCalls()).containsExactly("3b72");
        assertThat(ints).startsWith(24, 0);
        assertThat(longs).endsWith(buffer.iova(), PAGE);
        iommu.disable();
        assertThat(kernel.newCalls()).containsExactly(DISABLE_CALL);
        iommu.disable();
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void whatIsNotEnabledStaysSo() {
        SpaprTceV1 iommu = v1();
        kernel.failures.put(0x3b73, Errno.ENOMEM);
        VfioException e = catchThrowableOfType(VfioException.class, iommu::enable);
        assertThat(e.errno()).isEqualTo(Errno.ENOMEM);
        assertThatIllegalStateException().isThrownBy(() -> iommu.allocate(PAGE, Access.READ));
    }

    // ---- the second version

    @Test
    void theMemoryOfABufferIsRegisteredWhileItIsMapped() {
        SpaprTceV2 iommu = v2();
        DmaBuffer buffer = iommu.allocate(3 * PAGE - 1, Access.READ_WRITE);
        assertThat(kernel.newCalls()).endsWith("3b75", "3b71");
        assertThat(buffer.iova() % PAGE).isZero();
        buffer.close();
        assertThat(kernel.newCalls()).containsExactly("3b72", "3b76");
        assertThat(ints).startsWith(24, 0);
        assertThat(longs).endsWith(buffer.segment().address(), 3 * PAGE);
    }

    @Test
    void whatCannotBeMappedIsNotRegisteredEither() {
        SpaprTceV2 iommu = v2();
        kernel.answer(MAP_DMA, _ -> -Errno.EPERM.number());
        VfioException e = catchThrowableOfType(VfioException.class, () -> iommu.allocate(PAGE, Access.READ));
        assertThat(e.errno()).isEqualTo(Errno.EPERM);
        assertThat(kernel.newCalls()).endsWith("3b75", "3b71", "3b76");
    }

    @Test
    void memoryThatIsMappedTwiceIsRegisteredOnce() {
        SpaprTceV2 iommu = v2();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
            DmaBuffer first = iommu.map(memory, Access.READ);
            DmaBuffer second = iommu.map(memory, Access.READ_WRITE);
            assertThat(kernel.newCalls()).endsWith("3b75", "3b71", "3b71");
            first.close();
            assertThat(kernel.newCalls()).containsExactly("3b72");
            second.close();
            assertThat(kernel.newCalls()).containsExactly("3b72", "3b76");
            assertThat(longs).endsWith(memory.address(), 2 * PAGE);
        }
    }

    @Test
    void partsOfRegisteredMemoryAreMappedAsTheyAre() {
        SpaprTceV2 iommu = v2();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(2 * PAGE, PAGE);
            iommu.registerMemory(memory);
            kernel.newCalls();
            DmaBuffer part = iommu.map(memory.asSlice(PAGE, 4096), Access.READ);
            DmaBuffer more = iommu.map(memory.asSlice(PAGE - 4096, PAGE + 4096), Access.READ);
            assertThat(kernel.newCalls()).endsWith("3b71", "3b71").doesNotContain("3b75");
            part.close();
            more.close();
            assertThat(kernel.newCalls()).containsExactly("3b72", "3b72");
            DmaBuffer outside = iommu.allocate(PAGE, Access.READ);
            assertThat(kernel.newCalls()).containsExactly("3b75", "3b71");
            outside.close();
            iommu.unregisterMemory(memory);
        }
    }

    @Test
    void memoryThatStaysRegisteredIsKept() {
        SpaprTceV2 iommu = v2();
        DmaBuffer buffer = iommu.allocate(PAGE, Access.READ);
        kernel.answer(UNREGISTER, _ -> -Errno.EBUSY.number());
        VfioException e = catchThrowableOfType(VfioException.class, buffer::close);
        assertThat(e.errno()).isEqualTo(Errno.EBUSY);
        assertThat(buffer.segment().scope().isAlive()).isTrue();
        kernel.answer(UNREGISTER, this::seen);
        buffer.close();
        assertThat(buffer.segment().scope().isAlive()).isFalse();
    }

    @Test
    void aRangeIsUnmappedBufferByBuffer() {
        SpaprTceV2 iommu = v2();
        DmaBuffer first = iommu.allocateAt(PAGE, PAGE, Access.READ);
        DmaBuffer second = iommu.allocateAt(4 * PAGE, 2 * PAGE, Access.READ);
        kernel.newCalls();
        assertThat(iommu.unmap(0, 10 * PAGE)).isEqualTo(3 * PAGE);
        assertThat(kernel.newCalls()).containsExactly("3b72", "3b76", "3b72", "3b76");
        assertThat(List.of(first, second)).noneMatch(buffer -> buffer.segment().scope().isAlive());
        assertThat(iommu.unmap(0, 10 * PAGE)).isZero();
        iommu.allocate(PAGE, Access.READ);
        iommu.allocate(PAGE, Access.READ);
        assertThat(iommu.unmapAll()).isEqualTo(2 * PAGE);
        assertThat(kernel.newCalls()).endsWith("3b72", "3b76", "3b72", "3b76");
    }

    private static void refused(Rule rule, Runnable call) {
        RuleViolation e = catchThrowableOfType(RuleViolation.class, call::run);
        assertThat(e).as("a refusal by %s", rule).isNotNull();
        assertThat(e.rule()).contains(rule);
    }

    @Test
    void rangesThatTheKernelWouldNotLookAtAreRefused() {
        SpaprTceV2 iommu = v2();
        iommu.allocateAt(4 * PAGE, 4 * PAGE, Access.READ);
        kernel.newCalls();
        refused(Rule.MAP_OVERLAP, () -> iommu.allocateAt(5 * PAGE, PAGE, Access.READ));
        refused(Rule.MAP_RANGE, () -> iommu.allocateAt(0x7fff_0000L, 2 * PAGE, Access.READ));
        refused(Rule.MAP_ALIGNED, () -> iommu.allocateAt(100, PAGE, Access.READ));
        refused(Rule.UNMAP_WHOLE, () -> iommu.unmap(4 * PAGE, PAGE));
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void windowsAreMadeAndRemoved() {
        SpaprTceV2 iommu = v2();
        SpaprWindow low = new SpaprWindow(DMA32, 4096, 1);
        assertThat(iommu.windows()).containsExactly(low);
        SpaprWindow high = iommu.createWindow(PAGE, 1L << 40, 3);
        assertThat(high).isEqualTo(new SpaprWindow(new IovaRange(HIGH, HIGH + (1L << 40) - 1), PAGE, 3));
        assertThat(ints).containsExactly(40, 0, 16, 0, 0, 1 << 8, 3, 0, 0, 0); // 2^40 in the words of this machine's order
        assertThat(longs[2]).isEqualTo(1L << 40);
        assertThat(iommu.windows()).containsExactly(low, high);
        assertThat(iommu.ranges()).containsExactly(DMA32, high.range());
        assertThat(iommu.granule()).isEqualTo(4096);
        DmaBuffer buffer = iommu.allocateAt(HIGH, PAGE, Access.READ);
        assertThatIllegalStateException().isThrownBy(() -> iommu.removeWindow(high));
        kernel.newCalls();
        iommu.removeWindow(low);
        assertThat(kernel.newCalls()).containsExactly("3b78");
        assertThat(ints).startsWith(16, 0);
        assertThat(longs).endsWith(0);
        assertThat(iommu.granule()).isEqualTo(PAGE);
        assertThat(iommu.allocate(PAGE, Access.READ).iova()).isEqualTo(HIGH + PAGE);
        buffer.close();
        iommu.unmapAll();
        iommu.removeWindow(high);
        assertThat(longs).endsWith(HIGH);
        assertThatIllegalArgumentException().isThrownBy(() -> iommu.removeWindow(high)).withMessageContaining("any more");
        assertThat(iommu.windows()).isEmpty();
        refused(Rule.MAP_RANGE, () -> iommu.allocateAt(HIGH, PAGE, Access.READ));
    }

    @Test
    void largePagesTakeWholeOnesAtGivenIovasAlone() {
        SpaprTceV2 iommu = v2();
        iommu.createWindow(1 << 28, 1L << 40, 1);
        assertThat(iommu.allocate(PAGE, Access.READ).iova()).isLessThan(HIGH);
        refused(Rule.MAP_ALIGNED, () -> iommu.allocateAt(HIGH, PAGE, Access.READ));
        refused(Rule.MAP_ALIGNED, () -> iommu.allocateAt(HIGH + PAGE, 1 << 28, Access.READ));
    }

    @Test
    void windowsThatCannotBeAreRefused() {
        SpaprTceV2 iommu = v2();
        for (long page : new long[] {0, -1, SIXTEEN_MIB, 0x1_1000, Long.MIN_VALUE}) {
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.createWindow(page, 1L << 40, 1));
        }
        for (long size : new long[] {0, -1, 0x8000, 3 * PAGE}) {
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.createWindow(PAGE, size, 1));
        }
        for (int levels : new int[] {0, -1, 6}) {
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.createWindow(PAGE, 1L << 40, levels));
        }
        assertThat(kernel.newCalls()).containsOnly("3b70");
        kernel.answer(CREATE, _ -> -Errno.ENOSPC.number());
        VfioException e = catchThrowableOfType(VfioException.class, () -> iommu.createWindow(PAGE, PAGE, 5));
        assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
        assertThat(iommu.windows()).hasSize(1);
        kernel.answer(GET_INFO, _ -> 0);
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> iommu.createWindow(PAGE, PAGE, 1));
    }

    @Test
    void memoryIsRegisteredForOthersToMap() {
        SpaprTceV2 iommu = v2();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(4 * PAGE, PAGE);
            iommu.registerMemory(memory);
            assertThat(kernel.newCalls()).containsExactly("3b75");
            assertThat(ints).startsWith(24, 0);
            assertThat(longs).endsWith(memory.address(), 4 * PAGE);
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.unregisterMemory(memory.asSlice(0, PAGE)));
            iommu.unregisterMemory(memory);
            assertThat(kernel.newCalls()).containsExactly("3b76");
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.unregisterMemory(memory));
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.registerMemory(memory.asSlice(4096, PAGE)));
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.registerMemory(memory.asSlice(0, 4096)));
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.registerMemory(memory.asSlice(0, 0)));
            assertThatIllegalArgumentException().isThrownBy(() -> iommu.registerMemory(memory.asReadOnly()));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> iommu.registerMemory(MemorySegment.ofArray(new long[(int) PAGE])));
            assertThat(kernel.newCalls()).isEmpty();
        }
    }
}
