package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.Errno;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.MigrationState;
import io.github.vfio4j.MigrationSupport;
import io.github.vfio4j.Operation;
import io.github.vfio4j.RegionInfo;
import io.github.vfio4j.ffm.gen.vfio_device_feature;
import io.github.vfio4j.ffm.gen.vfio_device_feature_bus_master;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_buf;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_logging_control;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_logging_range;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_logging_report;
import io.github.vfio4j.ffm.gen.vfio_device_feature_mig_data_size;
import io.github.vfio4j.ffm.gen.vfio_device_feature_mig_state;
import io.github.vfio4j.ffm.gen.vfio_device_feature_migration;
import io.github.vfio4j.ffm.gen.vfio_device_low_power_entry_with_wakeup;
import io.github.vfio4j.ffm.gen.vfio_region_dma_range;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.DmaBufPort;
import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.FeaturePort;
import io.github.vfio4j.spi.MigrationPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;

/** {@code VFIO_DEVICE_FEATURE}: a header, and behind it the struct of the feature. */
final class FfmFeatures implements FeaturePort {
    private static final long DATA = vfio_device_feature.data$offset();
    private static final int[] STATES = { // by the order of MigrationState
        VFIO_DEVICE_STATE_ERROR(),
        VFIO_DEVICE_STATE_STOP(),
        VFIO_DEVICE_STATE_RUNNING(),
        VFIO_DEVICE_STATE_STOP_COPY(),
        VFIO_DEVICE_STATE_RESUMING(),
        VFIO_DEVICE_STATE_RUNNING_P2P(),
        VFIO_DEVICE_STATE_PRE_COPY(),
        VFIO_DEVICE_STATE_PRE_COPY_P2P()
    };

    private final Fd fd;

    FfmFeatures(Fd fd) {
        this.fd = fd;
    }

    @Override
    public boolean has(DeviceFeature feature) {
        Frame frame = fd.begin(Operation.DEVICE_FEATURE);
        try {
            int result = call(frame, frame.arg, VFIO_DEVICE_FEATURE_PROBE() | number(feature), 0);
            // EINVAL: Linux 7 says so of pre-copy information that the device does not have.
            if (result == -Errno.ENOTTY.number()
                    || result == -Errno.EOPNOTSUPP.number()
                    || result == -Errno.EINVAL.number()) {
                return false;
            }
            fd.check(Operation.DEVICE_FEATURE, result);
            return true;
        } finally {
            fd.end(frame);
        }
    }

    private static int number(DeviceFeature feature) {
        return switch (feature) {
            case PCI_VF_TOKEN -> VFIO_DEVICE_FEATURE_PCI_VF_TOKEN();
            case MIGRATION -> VFIO_DEVICE_FEATURE_MIGRATION();
            case MIG_DEVICE_STATE -> VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE();
            case LOW_POWER_ENTRY -> VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY();
            case LOW_POWER_ENTRY_WITH_WAKEUP -> VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP();
            case LOW_POWER_EXIT -> VFIO_DEVICE_FEATURE_LOW_POWER_EXIT();
            case DMA_LOGGING_START -> VFIO_DEVICE_FEATURE_DMA_LOGGING_START();
            case DMA_LOGGING_STOP -> VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP();
            case DMA_LOGGING_REPORT -> VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT();
            case MIG_DATA_SIZE -> VFIO_DEVICE_FEATURE_MIG_DATA_SIZE();
            case BUS_MASTER -> VFIO_DEVICE_FEATURE_BUS_MASTER();
            case DMA_BUF -> VFIO_DEVICE_FEATURE_DMA_BUF();
            case MIG_PRECOPY_INFO_V2 -> VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2();
        };
    }

    @Override
    public void setVfToken(UUID token) {
        set(Operation.PCI_VF_TOKEN, DeviceFeature.PCI_VF_TOKEN, VfToken.BYTES, data -> VfToken.write(data, token));
    }

    @Override
    public void enterLowPower(EventPort wakeup) {
        if (wakeup == null) {
            set(Operation.LOW_POWER_ENTRY, DeviceFeature.LOW_POWER_ENTRY, 0, _ -> {});
            return;
        }
        Fd event = ((FfmEvent) wakeup).fd;
        event.hold(Operation.LOW_POWER_ENTRY);
        try {
            set(
                    Operation.LOW_POWER_ENTRY,
                    DeviceFeature.LOW_POWER_ENTRY_WITH_WAKEUP,
                    vfio_device_low_power_entry_with_wakeup.sizeof(),
                    data -> vfio_device_low_power_entry_with_wakeup.wakeup_eventfd(data, event.number));
        } finally {
            event.release();
        }
    }

    @Override
    public void exitLowPower() {
        set(Operation.LOW_POWER_EXIT, DeviceFeature.LOW_POWER_EXIT, 0, _ -> {});
    }

    // ---- migration

    @Override
    public Set<MigrationSupport> migration() {
        Frame frame = fd.begin(Operation.MIGRATION);
        try {
            long size = vfio_device_feature_migration.sizeof();
            MemorySegment data = get(Operation.MIGRATION, DeviceFeature.MIGRATION, frame, size);
            long flags = vfio_device_feature_migration.flags(data);
            Set<MigrationSupport> support = EnumSet.noneOf(MigrationSupport.class);
            if ((flags & VFIO_MIGRATION_STOP_COPY()) != 0) {
                support.add(MigrationSupport.STOP_COPY);
            }
            if ((flags & VFIO_MIGRATION_P2P()) != 0) {
                support.add(MigrationSupport.P2P);
            }
            if ((flags & VFIO_MIGRATION_PRE_COPY()) != 0) {
                support.add(MigrationSupport.PRE_COPY);
            }
            return support;
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public MigrationState migrationState() {
        Frame frame = fd.begin(Operation.MIG_DEVICE_STATE);
        try {
            long size = vfio_device_feature_mig_state.sizeof();
            MemorySegment data = get(Operation.MIG_DEVICE_STATE, DeviceFeature.MIG_DEVICE_STATE, frame, size);
            int state = vfio_device_feature_mig_state.device_state(data);
            for (MigrationState known : MigrationState.values()) {
                if (STATES[known.ordinal()] == state) {
                    return known;
                }
            }
            throw Info.broken(Operation.MIG_DEVICE_STATE, "nobody knows the migration state " + state);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public Optional<MigrationPort> setMigrationState(MigrationState state) {
        Frame frame = fd.begin(Operation.MIG_DEVICE_STATE);
        try {
            MemorySegment data = frame.arg.asSlice(DATA, vfio_device_feature_mig_state.sizeof());
            vfio_device_feature_mig_state.device_state(data, STATES[state.ordinal()]);
            vfio_device_feature_mig_state.data_fd(data, -1);
            int flags = VFIO_DEVICE_FEATURE_SET() | number(DeviceFeature.MIG_DEVICE_STATE);
            fd.check(Operation.MIG_DEVICE_STATE, call(frame, frame.arg, flags, data.byteSize()));
            int opened = vfio_device_feature_mig_state.data_fd(data);
            return opened < 0
                    ? Optional.empty()
                    : Optional.of(new FfmMigration(new Fd(fd.syscalls, opened, "migration of " + fd.subject())));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public long migrationDataSize() {
        Frame frame = fd.begin(Operation.MIG_DATA_SIZE);
        try {
            long size = vfio_device_feature_mig_data_size.sizeof();
            return vfio_device_feature_mig_data_size.stop_copy_length(
                    get(Operation.MIG_DATA_SIZE, DeviceFeature.MIG_DATA_SIZE, frame, size));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void tellPrecopyReinit() {
        set(Operation.MIG_PRECOPY_INFO_V2, DeviceFeature.MIG_PRECOPY_INFO_V2, 0, _ -> {});
    }

    // ---- logs of DMA; what they point to lies behind their struct

    @Override
    public long startDmaLogging(long pageSize, List<IovaRange> ranges) {
        long size = vfio_device_feature_dma_logging_control.sizeof();
        long each = vfio_device_feature_dma_logging_range.sizeof();
        return behind(Operation.DMA_LOGGING_START, DATA + size + ranges.size() * each, (frame, feature) -> {
            MemorySegment control = feature.asSlice(DATA, size);
            MemorySegment list = feature.asSlice(DATA + size);
            vfio_device_feature_dma_logging_control.page_size(control, pageSize);
            vfio_device_feature_dma_logging_control.num_ranges(control, ranges.size());
            vfio_device_feature_dma_logging_control.ranges(control, list.address());
            for (int i = 0; i < ranges.size(); i++) {
                IovaRange range = ranges.get(i);
                MemorySegment entry = list.asSlice(i * each, each);
                vfio_device_feature_dma_logging_range.iova(entry, range.first());
                vfio_device_feature_dma_logging_range.length(entry, range.last() - range.first() + 1);
            }
            int flags = VFIO_DEVICE_FEATURE_SET() | number(DeviceFeature.DMA_LOGGING_START);
            fd.check(Operation.DMA_LOGGING_START, call(frame, feature, flags, size));
            return vfio_device_feature_dma_logging_control.page_size(control);
        });
    }

    @Override
    public void stopDmaLogging() {
        set(Operation.DMA_LOGGING_STOP, DeviceFeature.DMA_LOGGING_STOP, 0, _ -> {});
    }

    @Override
    public long[] reportDmaLogging(long iova, long length, long pageSize) {
        long size = vfio_device_feature_dma_logging_report.sizeof();
        long pages = length / pageSize;
        long words = (pages + Long.SIZE - 1) / Long.SIZE;
        return behind(Operation.DMA_LOGGING_REPORT, DATA + size + words * Long.BYTES, (frame, feature) -> {
            MemorySegment report = feature.asSlice(DATA, size);
            MemorySegment bitmap = feature.asSlice(DATA + size);
            vfio_device_feature_dma_logging_report.iova(report, iova);
            vfio_device_feature_dma_logging_report.length(report, length);
            vfio_device_feature_dma_logging_report.page_size(report, pageSize);
            vfio_device_feature_dma_logging_report.bitmap(report, bitmap.address());
            int flags = VFIO_DEVICE_FEATURE_GET() | number(DeviceFeature.DMA_LOGGING_REPORT);
            fd.check(Operation.DMA_LOGGING_REPORT, call(frame, feature, flags, size));
            long[] bits = bitmap.toArray(ValueLayout.JAVA_LONG);
            if (pages % Long.SIZE != 0) {
                bits[bits.length - 1] &= (1L << pages % Long.SIZE) - 1;
            }
            return bits;
        });
    }

    // ---- the others

    @Override
    public void setBusMaster(boolean on) {
        set(
                Operation.BUS_MASTER,
                DeviceFeature.BUS_MASTER,
                vfio_device_feature_bus_master.sizeof(),
                data -> vfio_device_feature_bus_master.op(
                        data, on ? VFIO_DEVICE_FEATURE_SET_MASTER() : VFIO_DEVICE_FEATURE_CLEAR_MASTER()));
    }

    @Override
    public DmaBufPort exportDmaBuf(int region, List<RegionInfo.Area> parts) {
        long size = vfio_device_feature_dma_buf.sizeof();
        long each = vfio_region_dma_range.sizeof();
        return behind(Operation.DMA_BUF, DATA + size + parts.size() * each, (frame, feature) -> {
            MemorySegment share = feature.asSlice(DATA);
            vfio_device_feature_dma_buf.region_index(share, region);
            vfio_device_feature_dma_buf.open_flags(share, Syscalls.O_RDWR | Syscalls.O_CLOEXEC);
            vfio_device_feature_dma_buf.nr_ranges(share, parts.size());
            for (int i = 0; i < parts.size(); i++) {
                MemorySegment range = share.asSlice(size + i * each, each);
                vfio_region_dma_range.offset(range, parts.get(i).offset());
                vfio_region_dma_range.length(range, parts.get(i).size());
            }
            int flags = VFIO_DEVICE_FEATURE_GET() | number(DeviceFeature.DMA_BUF);
            int opened = (int) fd.check(Operation.DMA_BUF, call(frame, feature, flags, share.byteSize()));
            Fd file = new Fd(fd.syscalls, opened, "dma-buf of " + fd.subject());
            return file::close;
        });
    }

    // ---- the ioctl

    private void set(Operation operation, DeviceFeature feature, long size, Consumer<MemorySegment> write) {
        Frame frame = fd.begin(operation);
        try {
            MemorySegment data = frame.arg.asSlice(DATA, size);
            data.fill((byte) 0);
            write.accept(data);
            fd.check(operation, call(frame, frame.arg, VFIO_DEVICE_FEATURE_SET() | number(feature), size));
        } finally {
            fd.end(frame);
        }
    }

    private MemorySegment get(Operation operation, DeviceFeature feature, Frame frame, long size) {
        MemorySegment data = frame.arg.asSlice(DATA, size);
        data.fill((byte) 0);
        fd.check(operation, call(frame, frame.arg, VFIO_DEVICE_FEATURE_GET() | number(feature), size));
        return data;
    }

    /** Returns the result of the ioctl, or -errno. */
    private int call(Frame frame, MemorySegment feature, int flags, long size) {
        vfio_device_feature.argsz(feature, (int) (DATA + size));
        vfio_device_feature.flags(feature, flags);
        return fd.syscalls.ioctl(frame, fd.number, VFIO_DEVICE_FEATURE(), feature);
    }

    private interface Call<T> {
        T with(Frame frame, MemorySegment feature);
    }

    /** A call whose argument is as long as what lies behind its struct. */
    private <T> T behind(Operation operation, long bytes, Call<T> call) {
        Frame frame = fd.begin(operation);
        try (Arena arena = Arena.ofConfined()) {
            return call.with(frame, arena.allocate(bytes, 8));
        } finally {
            fd.end(frame);
        }
    }
}
