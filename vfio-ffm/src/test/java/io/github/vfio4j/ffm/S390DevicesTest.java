package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.ApIrq;
import io.github.vfio4j.Ccw;
import io.github.vfio4j.CcwIrq;
import io.github.vfio4j.CcwStatus;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.ccw_cmd_region;
import io.github.vfio4j.ffm.gen.ccw_crw_region;
import io.github.vfio4j.ffm.gen.ccw_io_region;
import io.github.vfio4j.ffm.gen.ccw_schib_region;
import io.github.vfio4j.ffm.gen.vfio_ccw_h;
import io.github.vfio4j.ffm.gen.vfio_h;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The mediated devices of s390, vfio-ccw and vfio-ap, on answers made as linux/vfio.h and linux/vfio_ccw.h describe them. */
class S390DevicesTest {
    private static final int GET_INFO = 0x3b6b;
    private static final int GET_REGION_INFO = 0x3b6c;
    private static final int GET_IRQ_INFO = 0x3b6d;
    private static final int SET_IRQS = 0x3b6e;
    private static final int CCW = 16;
    private static final int AP = 32;
    private static final int TRIGGER = 32;
    private static final int NONE = 1;
    private static final int EVENTFD = 4;

    /** A region of the device file, 4096 bytes apart; index 0 is the I/O region. */
    private record Made(long size, int flags, int subtype) {}

    private final MadeKernel kernel = new MadeKernel();
    private final Vfio vfio = kernel.vfio();
    private Made[] regions = {new Made(124, 3, 0), new Made(8, 3, 1), new Made(52, 1, 2), new Made(8, 1, 3)};
    private int[] lastIrqSet = {};

    @BeforeEach
    void answer() {
        kernel.extensions.add(3L);
        kernel.answer(GET_REGION_INFO, this::regionInfo);
        kernel.answer(GET_IRQ_INFO, info -> {
            info.set(JAVA_INT, 4, 1); // VFIO_IRQ_INFO_EVENTFD
            info.set(JAVA_INT, 12, 1);
            return 0;
        });
        kernel.answer(SET_IRQS, set -> {
            lastIrqSet = set.asSlice(0, set.get(JAVA_INT, 0)).toArray(JAVA_INT);
            return 0;
        });
        kernel.file = new byte[4 * 4096];
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    private Device open(int bus, int regionCount, int irqs) {
        kernel.answer(GET_INFO, info -> {
            info.set(JAVA_INT, 4, bus | 1);
            info.set(JAVA_INT, 8, regionCount);
            info.set(JAVA_INT, 12, irqs);
            return 0;
        });
        Container container = vfio.openContainer();
        Group group = vfio.openGroup(7);
        container.attach(group);
        Device device = container.setIommu(IommuType.TYPE1_V2).openDevice(group, new UUID(1, 2));
        kernel.newCalls();
        return device;
    }

    private Device channel() {
        return open(CCW, regions.length, 3);
    }

    private int regionInfo(MemorySegment info) {
        int index = info.get(JAVA_INT, 8);
        Made region = regions[index];
        info.set(JAVA_LONG, 16, region.size);
        info.set(JAVA_LONG, 24, index * 4096L);
        info.set(JAVA_INT, 4, region.flags);
        if (region.subtype != 0) {
            info.set(JAVA_INT, 4, region.flags | 8);
            if (info.get(JAVA_INT, 0) >= 48) {
                info.set(JAVA_INT, 12, 32);
                info.set(JAVA_SHORT, 32, (short) 2); // VFIO_REGION_INFO_CAP_TYPE
                info.set(JAVA_SHORT, 34, (short) 1);
                info.set(JAVA_INT, 40, 2); // VFIO_REGION_TYPE_CCW
                info.set(JAVA_INT, 44, region.subtype);
            }
            info.set(JAVA_INT, 0, 48);
        }
        return 0;
    }

    private static byte[] counted(int size, int from) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (from + i);
        }
        return bytes;
    }

    // ---- channel devices

    @Test
    void theNumbersAreThoseOfTheHeader() {
        assertThat(vfio_h.VFIO_CCW_CONFIG_REGION_INDEX()).isZero();
        assertThat(vfio_h.VFIO_CCW_NUM_REGIONS()).isEqualTo(1);
        assertThat(vfio_h.VFIO_REGION_TYPE_CCW()).isEqualTo(2);
        assertThat(vfio_h.VFIO_REGION_SUBTYPE_CCW_ASYNC_CMD()).isEqualTo(1);
        assertThat(vfio_h.VFIO_REGION_SUBTYPE_CCW_SCHIB()).isEqualTo(2);
        assertThat(vfio_h.VFIO_REGION_SUBTYPE_CCW_CRW()).isEqualTo(3);
        assertThat(Stream.of(CcwIrq.values()).map(CcwIrq::index))
                .containsExactly(
                        vfio_h.VFIO_CCW_IO_IRQ_INDEX(), vfio_h.VFIO_CCW_CRW_IRQ_INDEX(), vfio_h.VFIO_CCW_REQ_IRQ_INDEX());
        assertThat(Stream.of(ApIrq.values()).map(ApIrq::index))
                .containsExactly(vfio_h.VFIO_AP_REQ_IRQ_INDEX(), vfio_h.VFIO_AP_CFG_CHG_IRQ_INDEX());
        assertThat(ccw_io_region.sizeof()).isEqualTo(124);
        assertThat(ccw_io_region.scsw_area$offset()).isEqualTo(12);
        assertThat(ccw_io_region.irb_area$offset()).isEqualTo(24);
        assertThat(ccw_io_region.ret_code$offset()).isEqualTo(120);
        assertThat(ccw_cmd_region.sizeof()).isEqualTo(8);
        assertThat(ccw_cmd_region.command$offset()).isZero();
        assertThat(ccw_schib_region.sizeof()).isEqualTo(52);
        assertThat(ccw_crw_region.sizeof()).isEqualTo(8);
        assertThat(ccw_crw_region.crw$offset()).isZero();
        assertThat(vfio_ccw_h.VFIO_CCW_ASYNC_CMD_HSCH()).isEqualTo(1);
        assertThat(vfio_ccw_h.VFIO_CCW_ASYNC_CMD_CSCH()).isEqualTo(2);
    }

    @Test
    void aStartIsOneWriteOfTheWholeRegion() {
        Ccw ccw = channel().ccw();
        ccw.start(counted(12, 0x10), counted(12, 0x80));
        String orb = HexFormat.of().formatHex(counted(12, 0x10));
        String scsw = HexFormat.of().formatHex(counted(12, 0x80));
        assertThat(kernel.newCalls()).endsWith("write " + orb + scsw + "00".repeat(100) + " at 0");
        kernel.writeError = Errno.EBUSY; // the region's ret_code
        VfioException e = catchThrowableOfType(VfioException.class, () -> ccw.start(new byte[12], new byte[12]));
        assertThat(e.errno()).isEqualTo(Errno.EBUSY);
    }

    @Test
    void blocksOfAnotherLengthAreRefused() {
        Ccw ccw = channel().ccw();
        assertThatIllegalArgumentException().isThrownBy(() -> ccw.start(new byte[11], new byte[12])).withMessageContaining("orb");
        assertThatIllegalArgumentException().isThrownBy(() -> ccw.start(new byte[12], new byte[13])).withMessageContaining("scsw");
        assertThat(kernel.newCalls()).isEmpty();
    }

    @Test
    void theStatusHasItsBlocksWhereTheHeaderSaysSo() {
        Ccw ccw = channel().ccw();
        System.arraycopy(counted(120, 1), 0, kernel.file, 0, 120);
        MemorySegment.ofArray(kernel.file).set(JAVA_INT_UNALIGNED, 120, -Errno.EIO.number());
        CcwStatus status = ccw.read();
        assertThat(kernel.newCalls()).endsWith("read 124 at 0");
        assertThat(bytes(status.orb())).isEqualTo(counted(12, 1));
        assertThat(bytes(status.scsw())).isEqualTo(counted(12, 13));
        assertThat(bytes(status.irb())).isEqualTo(counted(96, 25));
        assertThat(status.returnCode()).isEqualTo(-Errno.EIO.number());
        assertThat(status.irb().order()).isEqualTo(ByteOrder.BIG_ENDIAN);
        assertThat(status.irb().isReadOnly()).isTrue();
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    @Test
    void haltAndClearAreCommandsOfTheirRegion() {
        Ccw ccw = channel().ccw();
        String zeros = "00000000";
        boolean little = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
        ccw.halt();
        assertThat(kernel.newCalls()).endsWith("write " + (little ? "01000000" : "00000001") + zeros + " at 1000");
        ccw.clear();
        assertThat(kernel.newCalls()).containsExactly("write " + (little ? "02000000" : "00000002") + zeros + " at 1000");
    }

    @Test
    void theSubchannelIsStoredByItsRegion() {
        Ccw ccw = channel().ccw();
        System.arraycopy(counted(52, 3), 0, kernel.file, 2 * 4096, 52);
        ByteBuffer block = ccw.storeSubchannel();
        assertThat(kernel.newCalls()).endsWith("read 52 at 2000");
        assertThat(bytes(block)).isEqualTo(counted(52, 3));
        assertThat(block.order()).isEqualTo(ByteOrder.BIG_ENDIAN);
    }

    @Test
    void aReportIsTakenUntilThereIsNone() {
        Ccw ccw = channel().ccw();
        MemorySegment.ofArray(kernel.file).set(JAVA_INT_UNALIGNED, 3 * 4096, 0x2004_0017);
        assertThat(ccw.takeReport()).isEqualTo(OptionalInt.of(0x2004_0017));
        assertThat(kernel.newCalls()).endsWith("read 8 at 3000");
        Arrays.fill(kernel.file, (byte) 0);
        assertThat(ccw.takeReport()).isEmpty();
    }

    @Test
    void aKernelWithoutTheRegionsStartsAllTheSame() {
        regions = new Made[] {regions[0], regions[2]}; // whatever the order
        Ccw ccw = channel().ccw();
        ccw.start(new byte[12], new byte[12]);
        assertThat(ccw.storeSubchannel().remaining()).isEqualTo(52);
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(ccw::halt);
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(ccw::clear);
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(ccw::takeReport);
    }

    // ---- interrupts

    @Test
    void aChannelsInterruptIsDisabledByTheEventfdAlone() {
        Device device = channel();
        assertThat(device.irq(CcwIrq.CRW)).asString().endsWith(" CRW");
        var interrupts = device.irq(CcwIrq.CRW).enable();
        assertThat(lastIrqSet).startsWith(24, TRIGGER | EVENTFD, 1, 0, 1).hasSize(6);
        assertThat(lastIrqSet[5]).isNotNegative();
        interrupts.close();
        assertThat(lastIrqSet).containsExactly(24, TRIGGER | EVENTFD, 1, 0, 1, -1);
    }

    @Test
    void anAdjunctProcessorsInterruptsAreNamed() {
        Device device = open(AP, 0, 2);
        assertThat(device.info().bus()).isEqualTo(DeviceInfo.Bus.AP);
        var interrupts = device.irq(ApIrq.CFG_CHG).enable();
        assertThat(lastIrqSet).startsWith(24, TRIGGER | EVENTFD, 1, 0, 1);
        device.close();
        assertThat(lastIrqSet).containsExactly(24, TRIGGER | EVENTFD, 1, 0, 1, -1);
        interrupts.close();
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(device::ccw);
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> device.irq(CcwIrq.IO));
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> device.irq(PciIrq.REQ));
    }

    @Test
    void otherDevicesDisableAnIndexByACountOfZero() {
        Device device = open(4, 0, 2); // VFIO_DEVICE_FLAGS_PLATFORM
        device.irq(1).enable().close();
        assertThat(lastIrqSet).containsExactly(20, TRIGGER | NONE, 1, 0, 0);
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> device.irq(ApIrq.REQ));
    }
}
