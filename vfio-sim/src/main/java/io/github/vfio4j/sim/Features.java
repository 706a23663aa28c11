package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_buf;
import io.github.vfio4j.ffm.gen.vfio_device_low_power_entry_with_wakeup;
import io.github.vfio4j.ffm.gen.vfio_region_dma_range;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * VFIO_DEVICE_FEATURE of vfio-pci. No function here has migration or a log of its DMA, so what is left is the token of
 * virtual functions, low power and, since Linux 7, sharing BARs. Guarded by the device's lock.
 */
final class Features {
    private static final long DATA = FeatureCall.DATA;
    private static final long TOKEN_BYTES = 16;
    private static final ValueLayout.OfLong TEXT_ORDER = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final VfioDevice device;
    private final SimMachine machine;
    private volatile boolean lowPower; // asked under the kernel's lock, too
    private EventFd wakeup; // null for none

    Features(VfioDevice device) {
        this.device = device;
        this.machine = device.machine();
    }

    /** Does the device have no power, so that a touch of its BARs is an error? */
    boolean lowPower() {
        return lowPower;
    }

    /** The program does something with the device: with a wakeup event that ends low power. */
    void wake() {
        if (wakeup != null) {
            wakeup.signal();
            exit();
        }
    }

    private void exit() {
        lowPower = false;
        wakeup = null;
    }

    /** The device's lock is held. */
    int call(SimProcess caller, UserMemory argument) {
        FeatureCall call = FeatureCall.of(caller, argument);
        int number = call.number();
        boolean newest = !machine.profile().isBefore(KernelProfile.V7_2);
        if (number == VFIO_DEVICE_FEATURE_PCI_VF_TOKEN() && device.token().isPresent()) {
            return call.checked(VFIO_DEVICE_FEATURE_SET(), TOKEN_BYTES) ? setToken(call, device.token().get()) : 0;
        } else if (number == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY()) {
            return call.checked(VFIO_DEVICE_FEATURE_SET(), 0) ? enter(call, null) : 0;
        } else if (number == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP()) {
            long size = vfio_device_low_power_entry_with_wakeup.sizeof();
            return call.checked(VFIO_DEVICE_FEATURE_SET(), size) ? enterWithWakeup(call, size) : 0;
        } else if (number == VFIO_DEVICE_FEATURE_LOW_POWER_EXIT()) {
            if (call.checked(VFIO_DEVICE_FEATURE_SET(), 0)) {
                exit();
            }
            return 0;
        } else if (number == VFIO_DEVICE_FEATURE_DMA_BUF() && newest) {
            long size = vfio_device_feature_dma_buf.sizeof();
            return call.checked(VFIO_DEVICE_FEATURE_GET(), size) ? share(call, size) : 0;
        } else if (number == VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2() && newest) {
            throw new KernelError(Errno.EINVAL); // not ENOTTY, for a device without pre-copy
        }
        throw new KernelError(Errno.ENOTTY);
    }

    private int setToken(FeatureCall call, VfToken token) {
        UUID chosen = token(call.argument(), DATA);
        machine.kernel().lock();
        token.value = chosen;
        machine.kernel().unlock();
        return 0;
    }

    /** Reads a token as programs hand it over: 16 bytes in the order of its text. */
    static UUID token(UserMemory memory, long at) {
        MemorySegment bytes = UserMemory.zeroed(TOKEN_BYTES);
        memory.read(at, bytes, TOKEN_BYTES);
        return new UUID(bytes.get(TEXT_ORDER, 0), bytes.get(TEXT_ORDER, Long.BYTES));
    }

    // ---- low power

    private int enterWithWakeup(FeatureCall call, long size) {
        MemorySegment entry = UserMemory.zeroed(size);
        call.argument().read(DATA, entry, size);
        int fd = vfio_device_low_power_entry_with_wakeup.wakeup_eventfd(entry);
        if (fd < 0) {
            throw new KernelError(Errno.EINVAL);
        }
        machine.kernel().lock();
        try {
            return enter(call, fd);
        } finally {
            machine.kernel().unlock();
        }
    }

    private int enter(FeatureCall call, Integer fd) {
        SimFile file = fd == null ? null : call.caller().files().find(fd).orElse(null);
        KernelError.check(machine.profile(), Operation.LOW_POWER_ENTRY, new Facts() {
            @Override
            public boolean namedFileOpen() {
                return fd == null || file != null;
            }

            @Override
            public boolean namedFileIsEvent() {
                return fd == null || file instanceof EventFdFile;
            }

            @Override
            public boolean lowPowerEngaged() {
                return lowPower;
            }
        });
        lowPower = true;
        wakeup = fd == null ? null : ((EventFdFile) file).event;
        return 0;
    }

    // ---- sharing parts of BARs

    private int share(FeatureCall call, long size) {
        MemorySegment share = UserMemory.zeroed(size);
        call.argument().read(DATA, share, size);
        long count = Integer.toUnsignedLong(vfio_device_feature_dma_buf.nr_ranges(share));
        int bar = vfio_device_feature_dma_buf.region_index(share);
        if (vfio_device_feature_dma_buf.flags(share) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        Parts parts = new Parts(bar, count, call.argument(), DATA + size);
        KernelError.check(machine.profile(), Operation.DMA_BUF, parts);
        machine.kernel().lock();
        try {
            return call.caller().files().add(new DmaBufFile(device, bar, parts.all));
        } finally {
            machine.kernel().unlock();
        }
    }

    /** What is so of the parts. They are read when they are asked for; of those that are not inside, the first one decides. */
    private final class Parts implements Facts {
        private final int bar;
        private final long count;
        private final UserMemory argument;
        private final long at;
        private final List<DmaBufFile.Part> all = new ArrayList<>();
        private boolean looked;
        private boolean aligned = true;
        private boolean wraps;
        private boolean inside = true;

        Parts(int bar, long count, UserMemory argument, long at) {
            this.bar = bar;
            this.count = count;
            this.argument = argument;
            this.at = at;
        }

        private void look() {
            if (looked) {
                return;
            }
            looked = true;
            long each = vfio_region_dma_range.sizeof();
            PciBars bars = device.function.bars;
            boolean memory = bars.mappable(bar);
            long most = memory ? bars.size(bar) : 0; // no memory is a page of ports
            long start = Integer.toUnsignedLong(bars.physicalAddress(bar));
            long total = 0;
            for (long part = 0; part < count && aligned; part++) {
                MemorySegment range = UserMemory.zeroed(each);
                argument.read(at + part * each, range, each);
                long offset = vfio_region_dma_range.offset(range);
                long length = vfio_region_dma_range.length(range);
                all.add(new DmaBufFile.Part(offset, length));
                total += length;
                aligned = length != 0 && (offset | length) % Memory.PAGE == 0 && length > 0 && total > 0;
                if (inside) {
                    inside = Long.compareUnsigned(offset, most) <= 0 && Long.compareUnsigned(length, most - offset) <= 0;
                    wraps = !inside && memory && wraps(start, offset, length);
                }
            }
        }

        private static boolean wraps(long start, long offset, long length) {
            long first = start + offset;
            return Long.compareUnsigned(first, start) < 0 || Long.compareUnsigned(first + length, first) < 0;
        }

        @Override
        public long sharedParts() {
            return count;
        }

        @Override
        public boolean sharedBarPresent() {
            return device.function.bars.has(bar);
        }

        @Override
        public boolean sharedPartsAligned() {
            look();
            return aligned;
        }

        @Override
        public boolean sharedPartsWrap() {
            look();
            return wraps;
        }

        @Override
        public boolean sharedPartsInside() {
            look();
            return inside;
        }
    }
}
