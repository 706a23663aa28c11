package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.AffectedDevice;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.spi.HotResetInfo;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** The bytes of VFIO_DEVICE_GET_PCI_HOT_RESET_INFO as linux/vfio.h describes them. */
class HotResetTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:02:03.1");
    private static final int DEV_ID = 1;
    private static final int DEV_ID_OWNED = 2;

    private final AnsweredIoctls kernel = new AnsweredIoctls();

    /** What the kernel tells of one device that is affected. */
    private HotResetInfo told(int flags, int number) {
        kernel.kernel = info -> {
            info.set(JAVA_INT, 4, flags);
            info.set(JAVA_INT, 8, 1); // count
            MemorySegment entry = info.asSlice(12, 8);
            entry.set(JAVA_INT, 0, number);
            entry.set(JAVA_BYTE, 6, (byte) 2); // bus
            entry.set(JAVA_BYTE, 7, (byte) (3 << 3 | 1));
            return 0;
        };
        return HotReset.info(new Fd(kernel, 7, "device"));
    }

    @Test
    void ofADeviceOfAGroupTheGroupsAreTold() {
        HotResetInfo info = told(0, 26);
        assertThat(info.owned()).isEmpty();
        assertThat(info.devices()).containsExactly(new AffectedDevice(DEVICE, OptionalInt.of(26), Optional.empty()));
    }

    @Test
    void byItsOwnNodeOfEachDeviceAndOfAllTogetherIsToldWhoseTheyAre() {
        HotResetInfo ours = told(DEV_ID | DEV_ID_OWNED, 1);
        assertThat(ours.owned()).contains(true);
        assertThat(ours.devices()).containsExactly(new AffectedDevice(DEVICE, OptionalInt.empty(), Optional.of(true)));
        HotResetInfo notOurs = told(DEV_ID, -1); // VFIO_PCI_DEVID_NOT_OWNED
        assertThat(notOurs.owned()).contains(false);
        assertThat(notOurs.devices()).extracting(AffectedDevice::owned).containsExactly(Optional.of(false));
    }

    @Test
    void whatIsSaidOfAllIsNotConcludedFromEach() {
        assertThat(told(DEV_ID, 1).owned()).contains(false);
    }
}
