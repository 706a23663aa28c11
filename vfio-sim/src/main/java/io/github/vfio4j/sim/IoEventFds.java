package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_ioeventfd;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The eventfds that write registers of an open device (VFIO_DEVICE_IOEVENTFD). Guarded by the device's lock. */
final class IoEventFds {
    private static final int MOST = 1000; // VFIO_PCI_IOEVENTFD_MAX

    /** An eventfd, and what it writes. The consumer is what the eventfd knows it by. */
    private record Entry(int bar, long offset, int width, long value, EventFd event, EventFd.Consumer consumer) {
        boolean writes(int toBar, long at, int bytes, long what) {
            return bar == toBar && offset == at && width == bytes && value == what;
        }
    }

    private final VfioDevice device;
    private final List<Entry> entries = new ArrayList<>();

    IoEventFds(VfioDevice device) {
        this.device = device;
    }

    /** Sets or removes one; the device's lock is held. */
    int set(SimProcess caller, UserMemory argument) {
        long least = vfio_device_ioeventfd.fd$offset() + Integer.BYTES;
        MemorySegment set = new InfoStruct(argument, vfio_device_ioeventfd.layout(), least).fields;
        int flags = vfio_device_ioeventfd.flags(set);
        int fd = vfio_device_ioeventfd.fd(set);
        boolean oneWidth = Integer.bitCount(flags & VFIO_DEVICE_IOEVENTFD_SIZE_MASK()) == 1;
        if ((flags & ~VFIO_DEVICE_IOEVENTFD_SIZE_MASK()) != 0 || !oneWidth || fd < -1) {
            throw new KernelError(Errno.EINVAL);
        }
        int bar = (int) (vfio_device_ioeventfd.offset(set) >> DeviceFile.REGION_SHIFT);
        long at = vfio_device_ioeventfd.offset(set) & (1L << DeviceFile.REGION_SHIFT) - 1;
        long value = vfio_device_ioeventfd.data(set);
        Entry known = entries.stream()
                .filter(entry -> entry.writes(bar, at, flags, value))
                .findFirst()
                .orElse(null);
        device.machine().kernel().lock();
        try {
            SimFile file = fd < 0 ? null : caller.files().find(fd).orElse(null);
            KernelError.check(device.machine().profile(), Operation.IOEVENTFD, new Request(bar, at, flags) {
                @Override
                public boolean registerEventSet() {
                    return known != null && fd >= 0;
                }

                @Override
                public boolean registerEventMissing() {
                    return known == null && fd < 0;
                }

                @Override
                public long registerEventsLeft() {
                    return fd < 0 ? 1 : MOST - entries.size();
                }

                @Override
                public boolean namedFileOpen() {
                    return fd < 0 || file != null;
                }

                @Override
                public boolean namedFileIsEvent() {
                    return fd < 0 || file instanceof EventFdFile;
                }
            });
            if (fd < 0) {
                entries.remove(known);
                known.event.release(known.consumer);
            } else {
                EventFd event = ((EventFdFile) file).event;
                Entry made = new Entry(
                        bar, at, flags, value, event, new EventFd.Consumer(() -> fire(bar, at, flags, value), () -> {}));
                entries.add(made);
                event.consume(made.consumer);
            }
            return 0;
        } finally {
            device.machine().kernel().unlock();
        }
    }

    /** The last close. */
    void clear() {
        entries.forEach(entry -> entry.event.release(entry.consumer));
        entries.clear();
    }

    /** The eventfd was signalled: the register is written by another thread, since the device may be in use. */
    private void fire(int bar, long at, int width, long value) {
        Thread.startVirtualThread(() -> {
            device.lock.lock();
            try {
                Power power = device.power();
                if (power != null && power.ioEventFds == this && power.config.memoryDecoded()) {
                    power.write(bar, at, width, value);
                }
            } finally {
                device.lock.unlock();
            }
        });
    }

    /** What the state says about a register. */
    private class Request implements Facts {
        private final int bar;
        private final long offset;
        private final int width;

        Request(int bar, long offset, int width) {
            this.bar = bar;
            this.offset = offset;
            this.width = width;
        }

        @Override
        public boolean registerInBar() {
            return bar >= 0 && bar < PciBars.COUNT;
        }

        @Override
        public boolean registerInside() {
            return offset + width <= device.function.bars.size(bar);
        }

        @Override
        public boolean registerInMsixTable() {
            PciBars bars = device.function.bars;
            return bar == bars.msixBar() && offset < bars.msixTableSize();
        }

        @Override
        public boolean registerWidthSupported() {
            return width < Long.BYTES || device.machine().profile().isBefore(KernelProfile.V7_2);
        }
    }
}
