package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.vfio4j.DeviceCapability;
import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.VfioException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** Answers about devices and regions, made byte by byte as linux/vfio.h and linux/vfio_zdev.h describe them. */
class DeviceInfoTest {
    private static final int DEVICE_HEADER = 24;
    private static final int REGION_HEADER = 32;

    private final MemorySegment answer = Arena.ofAuto().allocate(512, 8);

    // ---- VFIO_DEVICE_GET_INFO

    @Test
    void theFlagsNameTheBus() {
        assertThat(device(3).bus()).isEqualTo(DeviceInfo.Bus.PCI);
        assertThat(device(3).resettable()).isTrue();
        assertThat(device(4).bus()).isEqualTo(DeviceInfo.Bus.PLATFORM);
        assertThat(device(4).resettable()).isFalse();
        assertThat(device(8).bus()).isEqualTo(DeviceInfo.Bus.AMBA);
        assertThat(device(16).bus()).isEqualTo(DeviceInfo.Bus.CCW);
        assertThat(device(32).bus()).isEqualTo(DeviceInfo.Bus.AP);
        assertThat(device(64).bus()).isEqualTo(DeviceInfo.Bus.FSL_MC);
        assertThat(device(256).bus()).isEqualTo(DeviceInfo.Bus.CDX);
        assertThat(device(1 << 20).bus()).isEqualTo(DeviceInfo.Bus.OTHER);
    }

    private DeviceInfo device(int flags) {
        answer.set(JAVA_INT, 4, flags);
        return DeviceInfoDecoder.decode(answer);
    }

    private DeviceInfo deviceWithChain() {
        answer.set(JAVA_INT, 16, DEVICE_HEADER);
        return device(2 | 128);
    }

    private void capability(int at, int id, int version, int next) {
        answer.set(JAVA_SHORT, at, (short) id);
        answer.set(JAVA_SHORT, at + 2, (short) version);
        answer.set(JAVA_INT, at + 4, next);
    }

    @Test
    void atomicCompletionHasItsWidths() {
        capability(24, 5, 1, 0);
        answer.set(JAVA_INT, 32, 1 | 4);
        DeviceInfo info = deviceWithChain();
        assertThat(info.capability(DeviceCapability.PciAtomicCompletion.class))
                .contains(new DeviceCapability.PciAtomicCompletion(true, false, true));
        assertThat(info.capability(DeviceCapability.ZpciBase.class)).isEmpty();
    }

    @Test
    void aZpciFunctionTellsItsClpData() {
        capability(24, 1, 2, 64); // base
        answer.set(JAVA_LONG_UNALIGNED, 32, 0x1_0000_0000L);
        answer.set(JAVA_LONG_UNALIGNED, 40, 0x1_ffff_ffffL);
        answer.set(JAVA_SHORT, 48, (short) 0x8001);
        answer.set(JAVA_SHORT, 50, (short) 2);
        answer.set(JAVA_SHORT, 52, (short) 0x1000);
        answer.set(JAVA_BYTE, 54, (byte) 0x80);
        answer.set(JAVA_BYTE, 55, (byte) 5);
        answer.set(JAVA_INT, 56, 0x1234);
        capability(64, 2, 2, 112); // group
        answer.set(JAVA_LONG_UNALIGNED, 72, -4096);
        answer.set(JAVA_LONG_UNALIGNED, 80, 0xfe00L);
        answer.set(JAVA_LONG_UNALIGNED, 88, 1);
        answer.set(JAVA_SHORT, 96, (short) 4000);
        answer.set(JAVA_SHORT, 98, (short) 2048);
        answer.set(JAVA_SHORT, 100, (short) 128);
        answer.set(JAVA_BYTE, 102, (byte) 1);
        answer.set(JAVA_SHORT, 104, (short) 256);
        capability(112, 3, 1, 128); // utility string
        answer.set(JAVA_INT, 120, 2);
        answer.set(JAVA_BYTE, 124, (byte) 0xc1);
        answer.set(JAVA_BYTE, 125, (byte) 0xc2);
        capability(128, 4, 1, 0); // path
        answer.set(JAVA_INT, 136, 1);
        answer.set(JAVA_BYTE, 140, (byte) 7);
        assertThat(deviceWithChain().capabilities())
                .containsExactly(
                        new DeviceCapability.ZpciBase(
                                0x1_0000_0000L, 0x1_ffff_ffffL, 0x8001, 2, 0x1000, 0x80, 5, OptionalInt.of(0x1234)),
                        new DeviceCapability.ZpciGroup(
                                -4096, 0xfe00, true, 4000, 2048, 128, 1, OptionalInt.of(256)),
                        new DeviceCapability.ZpciUtility(List.of((byte) 0xc1, (byte) 0xc2)),
                        new DeviceCapability.ZpciPath(List.of((byte) 7)));
    }

    @Test
    void theFirstVersionOfTheZpciCapabilitiesHasLess() {
        capability(24, 1, 1, 56);
        capability(56, 2, 1, 0);
        List<DeviceCapability> capabilities = deviceWithChain().capabilities();
        assertThat(((DeviceCapability.ZpciBase) capabilities.getFirst()).fh()).isEmpty();
        assertThat(((DeviceCapability.ZpciGroup) capabilities.getLast()).imaxstbl()).isEmpty();
    }

    @Test
    void anUnknownCapabilityIsKeptByItsNumber() {
        capability(24, 77, 3, 0);
        assertThat(deviceWithChain().capabilities()).containsExactly(new DeviceCapability.Unknown(77, 3));
    }

    @Test
    void aCapabilityBehindTheShorterStructOfLinux61IsFound() {
        capability(20, 77, 1, 0);
        answer.set(JAVA_INT, 16, 20);
        assertThat(device(2 | 128).capabilities()).hasSize(1);
    }

    @Test
    void aCapabilityThatIsCutOffIsAnError() {
        for (int id = 1; id <= 5; id++) {
            capability(504, id, 2, 0);
            answer.set(JAVA_INT, 16, 504);
            assertThatExceptionOfType(VfioException.class)
                    .isThrownBy(() -> device(128))
                    .withMessageContaining("cut off");
        }
        capability(24, 3, 1, 0);
        answer.set(JAVA_INT, 32, -1);
        assertThatExceptionOfType(VfioException.class).isThrownBy(this::deviceWithChain);
    }

    // ---- VFIO_DEVICE_GET_REGION_INFO

    private RegionInfo region(int flags) {
        answer.set(JAVA_INT, 4, flags);
        answer.set(JAVA_INT, 8, 9);
        answer.set(JAVA_INT, 12, REGION_HEADER);
        answer.set(JAVA_LONG_UNALIGNED, 16, 0x10000);
        answer.set(JAVA_LONG_UNALIGNED, 24, 0x1000);
        return RegionInfoDecoder.decode(answer);
    }

    @Test
    void aMappableRegionWithoutASparseListIsMappableAsAWhole() {
        RegionInfo info = region(7);
        assertThat(info.areas()).containsExactly(new RegionInfo.Area(0, 0x10000));
        assertThat(info.mappable(0, 0x10000)).isTrue();
        assertThat(info.mappable(0xf000, 0x1001)).isFalse();
        assertThat(info.mappable(Long.MAX_VALUE, 1)).isFalse();
        assertThat(info.mappable(0, 0)).isFalse();
        assertThat(info.mappable(-1, 2)).isFalse();
        assertThat(region(3).mappable()).isFalse();
    }

    @Test
    void aSparseRegionIsMappableInItsAreas() {
        capability(32, 1, 1, 80);
        answer.set(JAVA_INT, 40, 2);
        answer.set(JAVA_LONG_UNALIGNED, 48, 0x1000);
        answer.set(JAVA_LONG_UNALIGNED, 56, 0x2000);
        answer.set(JAVA_LONG_UNALIGNED, 64, 0x8000);
        answer.set(JAVA_LONG_UNALIGNED, 72, 0); // nothing
        capability(80, 3, 1, 88);
        capability(88, 2, 1, 0);
        answer.set(JAVA_INT, 96, 0x8000_8086);
        answer.set(JAVA_INT, 100, 1);
        RegionInfo info = region(15);
        assertThat(info.index()).isEqualTo(9);
        assertThat(info.offset()).isEqualTo(0x1000);
        assertThat(info.areas()).containsExactly(new RegionInfo.Area(0x1000, 0x2000));
        assertThat(info.mappable(0x1000, 0x2000)).isTrue();
        assertThat(info.mappable(0, 0x10000)).isFalse();
        assertThat(info.msixMappable()).isTrue();
        assertThat(info.type()).contains(new RegionInfo.Type(0x8000_8086, 1));
        assertThat(info.type().orElseThrow().vendorId()).contains(0x8086);
    }

    @Test
    void theRegionsOfIntelsGraphicsAreToldApartByTheirSubtypes() {
        int intel = VFIO_REGION_TYPE_PCI_VENDOR_TYPE() | 0x8086;
        int[] subtypes = {
            VFIO_REGION_SUBTYPE_INTEL_IGD_OPREGION(),
            VFIO_REGION_SUBTYPE_INTEL_IGD_HOST_CFG(),
            VFIO_REGION_SUBTYPE_INTEL_IGD_LPC_CFG()
        };
        for (int subtype : subtypes) {
            capability(32, 2, 1, 0);
            answer.set(JAVA_INT, 40, intel);
            answer.set(JAVA_INT, 44, subtype);
            RegionInfo.Type type = region(15).type().orElseThrow();
            assertThat(type.vendorId()).contains(0x8086);
            assertThat(type.subtype()).isEqualTo(subtype);
        }
    }

    @Test
    void aTypeOfTheHeaderHasNoVendor() {
        assertThat(new RegionInfo.Type(1, 1).vendorId()).isEmpty();
    }

    @Test
    void aSparseAreaOutsideTheRegionIsAnError() {
        capability(32, 1, 1, 0);
        answer.set(JAVA_INT, 40, 1);
        for (long[] area : new long[][] {{0, 0x10001}, {0x10000, 1}, {-1, 2}, {1, Long.MAX_VALUE}, {0, -1}}) {
            answer.set(JAVA_LONG_UNALIGNED, 48, area[0]);
            answer.set(JAVA_LONG_UNALIGNED, 56, area[1]);
            assertThatExceptionOfType(VfioException.class).isThrownBy(() -> region(15));
        }
    }

    @Test
    void moreAreasThanTheAnswerHoldsIsAnError() {
        capability(32, 1, 1, 0);
        answer.set(JAVA_INT, 40, -1);
        assertThatExceptionOfType(VfioException.class).isThrownBy(() -> region(15));
    }
}
