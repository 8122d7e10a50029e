// Reads a whole topic of rows by Kafka's own client, committed records only, and prints their digest as one line,
// RESULT and JSON: the independent witness of what was written to it. Arguments: brokers, topic.
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class TopicWitness {
  private long rows, ids, cents, userChars;
  private final JsonFactory json = new JsonFactory();

  private void add(byte[] bytes) throws Exception {
    rows++;
    try (JsonParser parser = json.createParser(bytes)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String field = parser.currentName();
        parser.nextToken();
        switch (field) {
          case "id" -> ids += parser.getLongValue();
          case "user" -> userChars += parser.getTextLength();
          case "amount" -> cents += Math.round(parser.getDoubleValue() * 100);
          default -> throw new IllegalStateException("a row has the field " + field);
        }
      }
    }
  }

  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("isolation.level", "read_committed");
    settings.put("enable.auto.commit", "false");
    settings.put("max.poll.records", "10000");
    TopicWitness witness = new TopicWitness();
    var bytes = new ByteArrayDeserializer();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
      List<TopicPartition> partitions = consumer.partitionsFor(args[1]).stream()
          .map(info -> new TopicPartition(info.topic(), info.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          witness.add(record.value());
        }
      }
    }
    System.out.printf("RESULT {\"digest\":{\"rows\":%d,\"ids\":%d,\"cents\":%d,\"userChars\":%d}}%n", witness.rows,
        witness.ids, witness.cents, witness.userChars);
  }
}
