package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_logging_control;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_logging_range;
import io.github.vfio4j.ffm.gen.vfio_device_feature_dma_logging_report;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The log of the memory that a mediated device writes (VFIO_DEVICE_FEATURE_DMA_LOGGING_*). Simulated ones write none, so the
 * log stays empty, as that of the kernel's sample device mtty does, which takes every call in any order.
 */
final class DmaLog {
    private static final long DATA = FeatureCall.DATA;
    private static final long MOST_RANGES = 4096 / vfio_device_feature_dma_logging_range.sizeof();
    private static final long SMALLEST_PAGE = 4096;

    private DmaLog() {}

    static int start(KernelProfile profile, FeatureCall call) {
        long size = vfio_device_feature_dma_logging_control.sizeof();
        if (!call.checked(VFIO_DEVICE_FEATURE_SET(), size)) {
            return 0;
        }
        MemorySegment control = UserMemory.zeroed(size);
        call.argument().read(DATA, control, size);
        int count = vfio_device_feature_dma_logging_control.num_ranges(control);
        long page = vfio_device_feature_dma_logging_control.page_size(control);
        List<Range> ranges = new ArrayList<>();
        KernelError.check(profile, Operation.DMA_LOGGING_START, new Ranges(Integer.toUnsignedLong(count), page, ranges));
        UserMemory list = call.argument()
                .pointer(call.caller(), vfio_device_feature_dma_logging_control.ranges(control));
        long each = vfio_device_feature_dma_logging_range.sizeof();
        for (int i = 0; i < count; i++) { // one after the other, so that the first one that is wrong decides
            MemorySegment range = UserMemory.zeroed(each);
            list.read(i * each, range, each);
            ranges.add(new Range(
                    vfio_device_feature_dma_logging_range.iova(range),
                    vfio_device_feature_dma_logging_range.length(range)));
            KernelError.check(profile, Operation.DMA_LOGGING_START, new Ranges(count, page, ranges));
        }
        call.argument().write(DATA, control, size); // with the page that was asked for
        return 0;
    }

    static int stop(FeatureCall call) {
        call.checked(VFIO_DEVICE_FEATURE_SET(), 0);
        return 0;
    }

    static int report(FeatureCall call) {
        long size = vfio_device_feature_dma_logging_report.sizeof();
        if (!call.checked(VFIO_DEVICE_FEATURE_GET(), size)) {
            return 0;
        }
        MemorySegment report = UserMemory.zeroed(size);
        call.argument().read(DATA, report, size);
        long page = vfio_device_feature_dma_logging_report.page_size(report);
        if (Long.compareUnsigned(page, SMALLEST_PAGE) < 0 || Long.bitCount(page) != 1) {
            throw new KernelError(Errno.EINVAL);
        }
        long iova = vfio_device_feature_dma_logging_report.iova(report);
        if (new Range(iova, vfio_device_feature_dma_logging_report.length(report)).wraps()) {
            throw new KernelError(Errno.EOVERFLOW);
        }
        return 0; // bits are only ever set
    }

    private record Range(long iova, long length) {
        boolean wraps() {
            return Long.compareUnsigned(iova + length, iova) < 0;
        }

        boolean overlaps(Range other) {
            return Long.compareUnsigned(iova, other.iova + other.length - 1) <= 0
                    && Long.compareUnsigned(other.iova, iova + length - 1) <= 0;
        }
    }

    /** What is known of the ranges that were read so far. */
    private record Ranges(long count, long page, List<Range> read) implements Facts {
        @Override
        public long loggedRanges() {
            return count;
        }

        @Override
        public long loggedRangesMost() {
            return MOST_RANGES;
        }

        @Override
        public boolean loggedRangesAligned() {
            return read.isEmpty() || ((read.getLast().iova | read.getLast().length) & page - 1) == 0;
        }

        @Override
        public boolean loggedRangesWrap() {
            return !read.isEmpty() && read.getLast().wraps();
        }

        @Override
        public boolean loggedRangesOverlap() {
            return !read.isEmpty()
                    && read.subList(0, read.size() - 1).stream().anyMatch(read.getLast()::overlaps);
        }
    }
}
