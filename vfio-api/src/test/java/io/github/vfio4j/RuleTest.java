package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.spi.Facts;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RuleTest {
    @Test
    void namesAreUnique() {
        assertThat(Arrays.stream(Rule.values()).map(Rule::id)).doesNotHaveDuplicates();
    }

    @ParameterizedTest
    @EnumSource
    void everyRuleSaysWhatIsWrongAndWhatToDo(Rule rule) {
        assertThat(rule.id()).matches("[a-z0-9]+(-[a-z0-9]+)*\\.[a-z-]+");
        assertThat(rule.broken()).isNotBlank().doesNotEndWith(".");
        assertThat(rule.instead()).isNotBlank().doesNotEndWith(".");
        assertThat(rule.kernelFunction()).matches("[a-z0-9_]+");
    }

    @Test
    void aStateInWhichNothingIsWrongBreaksNoRule() {
        Facts fine = new Facts() {
            @Override
            public boolean groupInContainer() {
                return true;
            }
        };
        for (Operation operation : Operation.values()) {
            if (operation != Operation.GROUP_SET_CONTAINER && operation != Operation.SET_IOMMU) {
                assertThat(Rule.firstBroken(operation, fine)).as("%s", operation).isEmpty();
            }
        }
    }

    @Test
    void theFirstBrokenRuleInTheKernelsOrderDecides() {
        Facts bothWrong = new Facts() {
            @Override
            public int groupsInContainer() {
                return 0;
            }

            @Override
            public boolean iommuTypeSupported() {
                return false;
            }

            @Override
            public boolean iommuSet() {
                return false;
            }
        };
        assertThat(Rule.firstBroken(Operation.SET_IOMMU, bothWrong)).contains(Rule.SET_IOMMU_NEEDS_GROUP);
    }

    @Test
    void aClosedHandleBreaksEveryOperation() {
        Facts closed = new Facts() {
            @Override
            public boolean handleOpen() {
                return false;
            }
        };
        for (Operation operation : Operation.values()) {
            assertThat(Rule.firstBroken(operation, closed)).as("%s", operation).contains(Rule.HANDLE_OPEN);
        }
    }

    @Test
    void aRangeThatWrapsIsFoundAtTheTopAndNotBelowIt() {
        assertThat(Rule.firstBroken(Operation.IOMMU_MAP_DMA, range(-4096, 4096))).isEmpty();
        assertThat(Rule.firstBroken(Operation.IOMMU_MAP_DMA, range(-4096, 8192))).contains(Rule.MAP_WRAP);
        assertThat(Rule.firstBroken(Operation.IOMMU_MAP_DMA, range(4096, -4096))).isEmpty();
        assertThat(Rule.firstBroken(Operation.IOMMU_MAP_DMA, range(8192, -4096))).contains(Rule.MAP_WRAP);
    }

    @Test
    void aRuleOfTheKernelAloneIsNotCheckedByTheLibrary() {
        Facts hostDriver = new Facts() {
            @Override
            public boolean groupOwnedByHost() {
                return true;
            }
        };
        Rule.check(Contract.STRICT, Operation.GROUP_SET_CONTAINER, hostDriver); // throws nothing
        assertThat(Rule.firstBroken(Operation.GROUP_SET_CONTAINER, hostDriver)).contains(Rule.SET_CONTAINER_OWNERSHIP);
    }

    @Test
    void aHazardIsRefusedUnderBothContractsAndNeverAnsweredByAKernel() {
        Facts decodeOff = new Facts() {
            @Override
            public boolean memoryDecoded() {
                return false;
            }
        };
        assertThat(Rule.REGION_DECODED.kind()).isEqualTo(Rule.Kind.HAZARD);
        for (Contract contract : Contract.values()) {
            assertThatThrownBy(() -> Rule.check(contract, Operation.REGION_MAP, decodeOff))
                    .isInstanceOf(RuleViolation.class)
                    .hasMessageContaining("the kernel would let it pass, and harm would follow");
        }
        assertThat(Rule.firstBroken(Operation.REGION_MAP, decodeOff)).isEmpty();
    }

    private static Facts range(long iova, long size) {
        return new Facts() {
            @Override
            public long iova() {
                return iova;
            }

            @Override
            public long size() {
                return size;
            }
        };
    }
}
